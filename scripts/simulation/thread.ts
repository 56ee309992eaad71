import { parentPort, workerData } from 'node:worker_threads'
import { runSeed } from './runSeed.ts'
import { noTotals, sumOf, type Totals } from './totals.ts'

/** Every how-manieth seed a thread takes, starting with which. */
export interface Share {
  readonly firstSeed: number
  readonly endSeed: number
  readonly step: number
}

export type ThreadMessage =
  | { readonly type: 'totals'; readonly totals: Totals }
  | { readonly type: 'bad'; readonly seed: number; readonly differences: readonly string[] }

const reportEvery = 25

/** Runs every seed of the share and tells what came of it, now and then and at the end. */
export async function runShare(share: Share, tell: (message: ThreadMessage) => void): Promise<void> {
  let totals = noTotals()
  for (let seed = share.firstSeed; seed < share.endSeed; seed += share.step) {
    const { differences, totals: ofSeed } = await runSeed(seed)
    if (differences.length > 0) tell({ type: 'bad', seed, differences })
    totals = sumOf(totals, ofSeed)
    if (totals.schedules < reportEvery) continue
    tell({ type: 'totals', totals })
    totals = noTotals()
  }
  tell({ type: 'totals', totals })
}

if (parentPort !== null) {
  const port = parentPort
  await runShare(workerData as Share, (message) => port.postMessage(message))
}
