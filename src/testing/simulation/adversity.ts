import type { CheckpointStore } from '../../runtime/store/checkpoint.ts'
import type { WorkerLimits } from '../../runtime/task/workerLimits.ts'
import { type FaultKind, faultKinds } from '../faults/faults.ts'
import { Random } from '../random.ts'

/** What goes wrong, and how differently from an uninterrupted run everything is cut up. */
export interface Adversity {
  /** Decides every fault, takeover and restart; the same seed gives the same run. */
  readonly seed: number | string
  /** Probability of each kind of fault at each occasion; a kind that is not named never strikes. */
  readonly rates: Readonly<Partial<Record<FaultKind, number>>>
  /** How many faults may strike in all, so that the work comes to an end. */
  readonly faultLimit: number
  /** What differs from `defaultLimits`: how often checkpoints are cut, and after how much. */
  readonly limits: Partial<WorkerLimits>
  /** Probability, each time the clock is looked at, that a second worker takes over while the first one still runs. */
  readonly takeovers: number
  /** Probability, at the same moments, of an orderly stop, which is followed by a new start. */
  readonly restarts: number
  /** The most records that are appended to the log at once; between two times virtual time passes. */
  readonly appendRecords: number
  /** Fetches ask for a random number of bytes up to this. */
  readonly fetchMaxBytes: number
  /** Stands between the worker and its store, to find out whether a broken store would be noticed. */
  readonly tamper?: (store: CheckpointStore) => CheckpointStore
}

/** Adversity of every kind and in every measure, as the seed has it. */
export function randomAdversity(seed: number | string): Adversity {
  const random = new Random(`adversity ${seed}`)
  const rates: Partial<Record<FaultKind, number>> = {}
  for (const kind of faultKinds) if (random.chance(0.5)) rates[kind] = random.pick([0.02, 0.1, 0.3])
  return {
    seed: `faults ${seed}`,
    rates,
    faultLimit: random.int(3, 40),
    takeovers: random.pick([0, 0.03, 0.1]),
    restarts: random.pick([0, 0.02, 0.1]),
    appendRecords: random.pick([5, 40, 1_000]),
    fetchMaxBytes: random.pick([500, 5_000, 100_000]),
    limits: {
      checkpointIntervalMs: random.pick([10, 50, 200, 1_000]),
      maxUncommittedRecords: random.pick([1, 7, 40, 1_000]),
      maxUncommittedResults: random.pick([1, 10, 1_000]),
      fetchMaxWaitMs: random.pick([20, 100, 500]),
      statePortionBytes: random.pick([1, 400, 4_000, 262_144]),
      retryFirstMs: random.int(1, 200),
      retryMostMs: 1_000,
    },
  }
}
