import { parentPort, workerData } from 'node:worker_threads'
import { runSchedule, type ScheduleReport } from './runSchedule.ts'
import { scheduleOf } from './schedule.ts'
import { noTotals, sumOf, type Totals, totalsOf } from './totals.ts'

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
    const schedule = scheduleOf(seed)
    const report = await runSchedule(schedule).catch((error: unknown) => failed(seed, error))
    if (report.differences.length > 0) tell({ type: 'bad', seed, differences: report.differences })
    totals = sumOf(totals, totalsOf(report, schedule.options.records.length, schedule.input.counts))
    if (totals.schedules < reportEvery) continue
    tell({ type: 'totals', totals })
    totals = noTotals()
  }
  tell({ type: 'totals', totals })
}

/** A run that could not end is a bad one like any other. */
function failed(seed: number, error: unknown): ScheduleReport {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const nothing = { crashes: 0, takeovers: 0, restarts: 0, zombiesFenced: 0, late: 0, deadLetters: 0, objects: 0 }
  return { seed, differences: [`! ${text}`], faults: new Map(), ...nothing }
}

if (parentPort !== null) {
  const port = parentPort
  await runShare(workerData as Share, (message) => port.postMessage(message))
}
