import { type Duration, durationMs } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { optional } from '../runtime/options.ts'
import { wholeCount, wholeMs } from './wholeMs.ts'

/** A window that is open shows what its values come to so far after every so many of them. */
export interface EarlyByValues {
  /** How many values of the window: a whole number from 1. */
  readonly everyValues: number
  /** Not together with `everyValues`. */
  readonly everyMs?: never
}

/** A window that is open, and has got values since the last time, shows what they come to whenever event time has come to the next multiple. */
export interface EarlyByTime {
  /** Of event time: whole ms, or text such as `'10s'`. */
  readonly everyMs: Duration
  /** Not together with `everyMs`. */
  readonly everyValues?: never
}

/** When a window that is open shows a result, by the data alone: a replay shows the same ones. */
export type EarlyResults = EarlyByValues | EarlyByTime

/** What `early` must be. */
export const earlyRule = optional.object({ everyValues: optional.number, everyMs: optional.duration })

/** What a fold is told about results of open windows. */
export interface PreviewOptions {
  /** Shows results of open windows by the data. None if left out. */
  readonly early?: EarlyResults | undefined
  /** Shows them at checkpoint cuts, each window at most once in this processing time. None if left out, nor in a plain RxJS program, which has no cuts. */
  readonly provisionalEveryMs?: Duration | undefined
}

/** When results of open windows are shown: at cuts (processing time), by the number of values, by event time, or never. */
export type PreviewRule =
  | { readonly at: 'cuts'; readonly everyMs: number }
  | { readonly at: 'values'; readonly every: number }
  | { readonly at: 'time'; readonly everyMs: number }
  | { readonly at: 'never' }

/** @throws ConfigurationError on options out of range, or that contradict each other */
export function previewRule(name: string, { early, provisionalEveryMs }: PreviewOptions): PreviewRule {
  if (provisionalEveryMs !== undefined) {
    const everyMs = durationMs(provisionalEveryMs, `${name}: provisionalEveryMs`)
    if (!(everyMs >= 0)) {
      throw new ConfigurationError(`${name}: provisionalEveryMs must not be negative, got ${provisionalEveryMs}`)
    }
    if (early === undefined) return { at: 'cuts', everyMs }
    throw new ConfigurationError(
      `${name}: early shows results by the data and provisionalEveryMs at checkpoints; give one of them`,
    )
  }
  if (early === undefined) return { at: 'never' }
  const { everyValues, everyMs } = early
  if (everyValues !== undefined && everyMs === undefined) {
    return { at: 'values', every: wholeCount(everyValues, `${name}: early.everyValues`) }
  }
  if (everyMs !== undefined && everyValues === undefined) {
    return { at: 'time', everyMs: wholeMs(everyMs, `${name}: early.everyMs`, 1) }
  }
  throw new ConfigurationError(`${name}: early is { everyValues } or { everyMs }, one of the two`)
}
