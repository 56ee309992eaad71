import type { MonoTypeOperatorFunction, OperatorFunction } from 'rxjs'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import { dedupeByRanges } from './dedupeByRanges.ts'
import { dedupeBySet } from './dedupeBySet.ts'
import type { Hole } from './holes.ts'

interface DedupeBase<T> {
  /** Unique in a pipeline; `dedupe` if left out. */
  readonly name?: string
  /** Ids of different keys are different. */
  readonly by: (value: T) => string
  /** How long an id is remembered, in event time: ms, or text such as `'10m'`. May be changed between two starts. */
  readonly ttlMs: Duration
  /**
   * True where a `Hole` may come among the values, for a window below that takes it: it is passed on, and while it is open nothing that was known when it was told is forgotten, of any key, nor what comes. Else a repeat that comes for a
   * window which the hole keeps would count there twice.
   */
  readonly takesHoles?: boolean
  /** Outside a task: receives what the operator cannot take. */
  readonly onReject?: OperatorSpec['onReject']
}

/** How `dedupe` knows a repeat by ids of any kind, each remembered by itself. */
export interface DedupeBySet<T> extends DedupeBase<T> {
  /** Compared as text: 7 and '7' are one id. */
  readonly id: (value: T) => string | number
  /** The way to remember them; `set` if left out. */
  readonly ids?: 'set'
}

/** How `dedupe` knows a repeat by ids that grow by one, remembered as ranges: it keeps little, however many there are. */
export interface DedupeByRanges<T> extends DedupeBase<T> {
  /** A whole number. */
  readonly id: (value: T) => number
  /** For ids that grow by one: whole ranges are kept instead of single ids. */
  readonly ids: 'ranges'
}

const rules: OptionRules<DedupeBySet<never>> = {
  name: optional.text,
  by: needed.callback,
  id: needed.callback,
  ids: optional.oneOf('set', 'ranges'),
  ttlMs: needed.duration,
  takesHoles: optional.flag,
  onReject: optional.anyFunction,
}

/**
 * Passes the first value of each id and drops repeats seen within `ttlMs` of event time.
 *
 * As a set it keeps one entry per live id and forgets an entry once the watermark passes its first sighting by `ttlMs`, many of them bit by bit. As ranges it keeps one entry
 * per unbroken run of ids (ids that go in steps of two make one each), in blocks, so that a checkpoint costs the ids that came and not those that are kept, and forgets a run once the watermark has passed its newest sighting by `ttlMs`, at the next quarter of it, so ids of a run that goes on are remembered longer.
 * Ids are part of the checkpoint, so a crash neither re-admits a repeat nor loses a first sighting. A record that was set aside further below and is redriven
 * passes, though its id is known.
 * @throws ConfigurationError on options out of range
 */
export function dedupe<T>(
  options: (DedupeBySet<T> | DedupeByRanges<T>) & { readonly takesHoles: true },
): OperatorFunction<T | Hole, T | Hole>
export function dedupe<T>(options: DedupeBySet<T> | DedupeByRanges<T>): MonoTypeOperatorFunction<T>
export function dedupe<T>(options: DedupeBySet<T> | DedupeByRanges<T>): MonoTypeOperatorFunction<T | Hole> {
  checkOptions('dedupe', options, rules)
  const name = options.name ?? 'dedupe'
  const ttlMs = durationMs(options.ttlMs, `${name}: ttlMs`)
  if (!Number.isSafeInteger(ttlMs) || ttlMs <= 0) {
    throw new ConfigurationError(`${name}: ttlMs must be a positive whole number, got ${options.ttlMs}`)
  }
  return options.ids === 'ranges' ? dedupeByRanges(name, ttlMs, options) : dedupeBySet(name, ttlMs, options)
}
