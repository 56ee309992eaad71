import type { FaultKind } from '../../src/testing/faults/faults.ts'
import { differencesOf, type Outcome } from '../../src/testing/simulation/outcome.ts'
import { runUninterrupted, runWithAdversity } from '../../src/testing/simulation/simulate.ts'
import type { Schedule } from './schedule.ts'
import { untruthsOf } from './truth.ts'

export interface ScheduleReport {
  readonly seed: number
  /** Empty when everything is equal. */
  readonly differences: readonly string[]
  readonly faults: ReadonlyMap<FaultKind, number>
  readonly crashes: number
  readonly takeovers: number
  readonly restarts: number
  readonly zombiesFenced: number
  readonly late: number
  readonly deadLetters: number
  readonly objects: number
}

/** Runs a schedule uninterrupted and with its adversity, and compares what both leave behind with each other and with the truth. */
export async function runSchedule(schedule: Schedule): Promise<ScheduleReport> {
  const plain = await runUninterrupted(schedule.options)
  const result = await runWithAdversity(schedule.options, schedule.adversity)
  const { hasTruth } = schedule
  return {
    seed: schedule.seed,
    differences: [
      ...differencesOf(plain, result.outcome),
      ...(hasTruth ? untruthsOf(schedule, plain) : []),
      ...result.violations.map((violation) => `! ${String(violation)}`),
    ],
    faults: result.faults,
    crashes: result.crashes,
    takeovers: result.takeovers,
    restarts: result.restarts,
    zombiesFenced: result.zombiesFenced,
    late: countLate(plain),
    deadLetters: plain.get('dead letters')?.length ?? 0,
    objects: plain.get('objects')?.length ?? 0,
  }
}

function countLate(outcome: Outcome): number {
  return (outcome.get('dead letters') ?? []).filter((line) => line.includes('"reason":"late"')).length
}
