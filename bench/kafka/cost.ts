import type { Moment } from './moments.ts'
import type { Measured } from './stages.ts'

/** What a process had taken of the processors, all of its threads, at a time. */
export interface CpuSample {
  /** ms of the wall clock, with fractions. */
  readonly at: number
  readonly seconds: number
}

/** What a worker has done in a time, and what it took. */
export interface Cost {
  /** Of one core. */
  readonly share: number
  readonly checkpoints: number
  /** All that the worker has done, by checkpoints; µs of a processor. */
  readonly usACheckpoint: number
}

/**
 * What the worker took meanwhile, as far as the samples tell.
 * @param committed checkpoints, when each was stored
 * @throws Error where there are no two samples in that time
 */
export function costOf(cpu: readonly CpuSample[], committed: readonly Moment[], measured: Measured): Cost {
  const within = cpu.filter(({ at }) => at >= measured.from && at < measured.until)
  const [first, last] = [within[0], within.at(-1)]
  if (first === undefined || last === undefined || first === last)
    throw new Error(`the worker has told ${within.length} times what it takes, which is too rarely`)
  const seconds = last.seconds - first.seconds
  const checkpoints = committed.filter(({ at }) => at >= first.at && at < last.at).length
  return {
    share: (seconds * 1_000) / (last.at - first.at),
    checkpoints,
    usACheckpoint: (seconds * 1e6) / checkpoints,
  }
}
