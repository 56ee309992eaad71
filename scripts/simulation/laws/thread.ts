import { parentPort, workerData } from 'node:worker_threads'
import type { Share } from '../thread.ts'
import { runLaw } from './runLaw.ts'

/** What came of some laws. */
export interface LawTotals {
  readonly laws: number
  readonly different: number
  readonly firstBadSeed: number | null
  readonly events: number
  readonly late: number
  readonly crashes: number
  /** How many runs each operator had. */
  readonly operators: Readonly<Record<string, number>>
}

export type LawMessage =
  | { readonly type: 'totals'; readonly totals: LawTotals }
  | { readonly type: 'bad'; readonly seed: number; readonly differences: readonly string[] }

export const noLaws: LawTotals = {
  laws: 0,
  different: 0,
  firstBadSeed: null,
  events: 0,
  late: 0,
  crashes: 0,
  operators: {},
}

export function sumOfLaws(a: LawTotals, b: LawTotals): LawTotals {
  const operators = { ...a.operators }
  for (const [name, times] of Object.entries(b.operators)) operators[name] = (operators[name] ?? 0) + times
  const bad = [a.firstBadSeed, b.firstBadSeed].filter((seed) => seed !== null)
  return {
    laws: a.laws + b.laws,
    different: a.different + b.different,
    firstBadSeed: bad.length === 0 ? null : Math.min(...bad),
    events: a.events + b.events,
    late: a.late + b.late,
    crashes: a.crashes + b.crashes,
    operators,
  }
}

const reportEvery = 250

/** Runs every seed of the share and tells what came of it, now and then and at the end. */
export function runLaws(share: Share, tell: (message: LawMessage) => void): void {
  let totals = noLaws
  for (let seed = share.firstSeed; seed < share.endSeed; seed += share.step) {
    const { operator, differences, events, late, crashes } = runLaw(seed)
    const isBad = differences.length > 0
    if (isBad) tell({ type: 'bad', seed, differences })
    const ofSeed = { laws: 1, different: isBad ? 1 : 0, firstBadSeed: isBad ? seed : null, events, late, crashes }
    totals = sumOfLaws(totals, { ...ofSeed, operators: { [operator]: 1 } })
    if (totals.laws < reportEvery) continue
    tell({ type: 'totals', totals })
    totals = noLaws
  }
  tell({ type: 'totals', totals })
}

if (parentPort !== null) {
  const port = parentPort
  runLaws(workerData as Share, (message) => port.postMessage(message))
}
