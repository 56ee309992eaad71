import type { OperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Duration } from '../runtime/duration.ts'
import { ConfigurationError, OperatorError } from '../runtime/errors.ts'
import type { Json } from '../runtime/json.ts'
import type { OperatorSpec, RecordedAnswer } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import type { AskedPlace } from '../runtime/store/answers.ts'
import { type Answer, AnswerCache, type Ask, type CacheLimits, keptAskState } from './answerCache.ts'
import { keyOf } from './keyOf.ts'
import { wholeCount, wholeMs } from './wholeMs.ts'

/** Which answers `lookup` keeps in memory, so that it need not ask again. */
export interface LookupCache {
  /** How many at most; the least recently used goes. */
  readonly maxEntries: number
  /**
   * How long an answer holds: ms, or text such as `'5m'`. It is measured by the event time of the values where an `eventTime` stands above, and by the timestamps of their records
   * otherwise. For ever if left out.
   */
  readonly ttlMs?: Duration
  /** The same of answers that there is nothing (null); such answers are not kept if it is left out. */
  readonly missTtlMs?: Duration
}

/** What `lookup` asks about each value, how often, and what it makes of both. */
export interface LookupOptions<T, A, O> {
  /** Unique in a pipeline. Recorded answers are found again by it. */
  readonly name: string
  /** What is asked about. */
  readonly by: (value: T) => string
  /** Asks: the answer, or null where there is none. Called once a key at a time; whoever wants to know meanwhile waits for the same call. */
  readonly get: (key: string) => Promise<A | null>
  /** The result of a value and the answer to it, which must not be changed; null for no result. */
  readonly with: (value: T, answer: A | null) => O | null
  /** Which answers are kept; none if left out, but for those that wait for one call. */
  readonly cache?: LookupCache
  /** How many calls may be under way at once. */
  readonly concurrency: number
  /** How many calls may go in a second, in all tasks of the pipeline together: each has its part, by the number of partitions at its start. As many as there are if left out. It delays calls, and drops none. */
  readonly perSecond?: number
  /**
   * True to store answers with the checkpoints, in the table `lookup_answer`: a replay, or a pipeline that reads the records again, then takes them from there and gives the same results.
   * Without it results are those of the day on which they were made.
   */
  readonly record?: boolean
  /** How an answer is recorded; plain values need none. */
  readonly state?: StateCodec<A>
  /** Outside a task: receives values whose call fails, or on which a callback throws, instead of ending the stream. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<LookupOptions<never, never, never>> = {
  name: needed.text,
  by: needed.callback,
  get: needed.anyFunction,
  with: needed.callback,
  cache: optional.object({ maxEntries: needed.number, ttlMs: optional.duration, missTtlMs: optional.duration }),
  concurrency: needed.number,
  perSecond: optional.number,
  record: optional.flag,
  state: optional.stateCodec,
  onReject: optional.anyFunction,
}

/**
 * Asks something that waits, such as a service, about each value, and passes what `with` makes of the value and the answer, in the order of the values.
 *
 * Keeps answers in memory: at most `cache.maxEntries`, the least recently used of which go, and beside them what is under way; by event time also those that were not used for longer than any
 * answer holds. A crash asks again about values that were in no checkpoint; what was in one stands. As with `mapAsync` the task waits for all calls before a checkpoint, each result counts exactly once, and results carry no event time: it
 * stands above `eventTime` or below the last window, and below the last join of several inputs, for what it lets go at checkpoints would meet the others elsewhere in a replay.
 *
 * An answer is no function of the log. With `record: true` what is kept is part of the checkpoint, and each call's answer is stored, also for each value that has waited for it: a replay with the
 * same `cache` gives the same results, to the last byte. Such a row stays until somebody deletes it.
 * A `get` that fails sets aside (`failed`) the values that have waited for it, and the next one asks again. A `RetryableError`, or an error by which the service was away (a refused connection, a
 * timeout), makes the worker restore and try again. A value that has neither event time nor a timestamp is asked about anew where a `ttlMs` says how long answers hold.
 *
 * ```ts
 * orders.pipe(
 *   lookup({
 *     name: 'tier',
 *     by: ({ customer }) => customer,
 *     get: fetchTier,
 *     with: (order, tier) => ({ ...order, tier: tier ?? 'none' }),
 *     cache: { maxEntries: 50_000, ttlMs: '5m', missTtlMs: '10s' },
 *     concurrency: 32,
 *     perSecond: 200,
 *   }),
 * )
 * ```
 * @throws ConfigurationError on options out of range; OperatorError outside a task where `ttlMs` is given and no `eventTime` stands above
 */
export function lookup<T, A extends NonNullable<unknown>, O>(options: LookupOptions<T, A, O>): OperatorFunction<T, O> {
  checkOptions('lookup', options, rules)
  const { name, by, get, with: combine, concurrency, perSecond, record = false, onReject } = options
  const limits = cacheLimits(name, options.cache)
  const codec = options.state ?? plainState<A>()
  const spec: OperatorSpec = {
    name,
    concurrency,
    ...(perSecond === undefined ? {} : { perSecond }),
    // What is recorded of a place must be found there again, and so must the values that come to it.
    isOrderFree: !record,
    recordsAnswers: record,
    passesRedriven: true,
    takesUnsettled: true,
    onReject,
  }
  return stateful<T, O>(spec, (restored, out) => {
    const isRecorded = record && out.isInTask
    const { snapshot } = restored
    const uses = typeof snapshot === 'number' ? snapshot : 0
    const saved = isRecorded || uses > 0 ? restored.keyed(keptAskState(codec)) : null
    // What a pipeline that recorded had kept.
    if (!isRecorded) for (const [key] of [...(saved?.entries() ?? [])]) saved?.delete(key)
    const cache = new AnswerCache<A>(limits, isRecorded ? saved : null, uses)
    const needsTime = [limits.ttlMs, limits.missTtlMs].some((ms) => ms > 0 && ms < Number.POSITIVE_INFINITY)

    function give(value: T, { value: answer }: Answer<A>): void {
      const result = combine(value, answer)
      refusePromise(`${name}: with`, result)
      if (result !== null) out.emit(result)
    }

    async function call(key: string, at: number): Promise<Answer<A>> {
      if (perSecond !== undefined) await out.pace()
      const value = await get(key)
      if (value === undefined)
        throw new TypeError('get must give an answer, or null where there is none, got undefined')
      return { value, at }
    }

    /** Waits for the answer, and has it stored for the place. */
    async function recorded(asked: Asked, answering: Promise<Answer<A>>): Promise<Answer<A>> {
      const record = (at: number, answer: Json, isFailure: boolean) =>
        out.recordAnswer(asked.key, asked.place, {
          at: Number.isNaN(at) ? null : at,
          answer: JSON.stringify(answer),
          isFailure,
        })
      let answer: Answer<A>
      try {
        answer = await answering
      } catch (error) {
        record(asked.at, String(error), true)
        throw error
      }
      record(answer.at, answer.value === null ? null : codec.encode(answer.value), false)
      return answer
    }

    async function answerOf({ at, answer, isFailure }: RecordedAnswer): Promise<Answer<A>> {
      const saved = JSON.parse(answer) as Json
      if (isFailure) throw new RecordedFailure(String(saved))
      return { value: saved === null ? null : codec.decode(saved), at: at ?? Number.NaN }
    }

    function timeOf(): number {
      if (!needsTime) return Number.NaN
      if (out.hasTime) return out.valueTime()
      if (!out.isInTask) {
        throw new OperatorError(
          `${name}: ttlMs says how long answers hold, and no eventTime stands above that says how late it is. Put eventTime({ of, maxOutOfOrdernessMs }) before it, or leave ttlMs out.`,
        )
      }
      return out.recordTime ?? Number.NaN
    }

    /** What is asked about a value. */
    function askFor(key: string, at: number, before: Ask<A> | undefined, asked: Asked | null): Call<A> {
      const kept = before?.answer ?? null
      const isKept = kept !== null && cache.isFresh(kept, at)
      const isUnderWay = before?.isUnderWay === true
      const told = asked === null ? null : out.answerAt(asked.key, asked.place)
      if (asked !== null && told !== null) {
        const ask = cache.begin(async () => {
          const found = await told
          if (found !== null) return recorded(asked, answerOf(found))
          if (isKept) return kept
          return recorded(asked, isUnderWay ? before.result() : call(key, at))
        }, key)
        return { ask, result: () => ask.result() }
      }
      if (isKept) return { ask: before as Ask<A>, result: null }
      const ask = isUnderWay ? before : cache.begin(() => call(key, at), key)
      // Whoever waits for an answer has it recorded as well: whether it is still waited for is chance.
      return { ask, result: () => (asked === null ? ask.result() : recorded(asked, ask.result())) }
    }

    function onWatermark(watermark: number): void {
      cache.forget(watermark)
      out.wakeAt(cache.nextDue)
    }

    out.wakeAt(cache.nextDue)
    return {
      onValue(value) {
        const key = keyOf(by, value, name)
        const at = timeOf()
        const asked = isRecorded ? { key, at, place: out.askedPlace() } : null
        const { ask, result } = askFor(key, at, cache.find(key), asked)
        cache.use(key, ask, out.hasTime ? at : Number.NaN)
        out.wakeAt(cache.nextDue)
        if (result !== null) out.defer(result, (answer) => give(value, answer))
        else out.inTurn(() => give(value, ask.answer as Answer<A>))
      },
      ...(needsTime ? { onWatermark } : {}),
      ...(isRecorded ? { snapshot: () => cache.uses } : {}),
    }
  })
}

/** How a value comes to its answer. */
interface Call<A> {
  readonly ask: Ask<A>
  /** Null where the answer is there. */
  readonly result: (() => Promise<Answer<A>>) | null
}

interface Asked {
  readonly key: string
  /** ms UTC, NaN where it is not known. */
  readonly at: number
  readonly place: AskedPlace
}

/** What an error said when it was recorded. */
class RecordedFailure extends Error {
  override toString(): string {
    return this.message
  }
}

function cacheLimits(name: string, cache: LookupCache | undefined): CacheLimits {
  if (cache === undefined) return { maxEntries: 0, ttlMs: Number.POSITIVE_INFINITY, missTtlMs: 0 }
  const what = `lookup '${name}': cache`
  if (cache.maxEntries === undefined) {
    throw new ConfigurationError(`${what}.maxEntries is missing: it says how many answers are kept in memory.`)
  }
  return {
    maxEntries: wholeCount(cache.maxEntries, `${what}.maxEntries`),
    ttlMs: cache.ttlMs === undefined ? Number.POSITIVE_INFINITY : wholeMs(cache.ttlMs, `${what}.ttlMs`, 1),
    missTtlMs: cache.missTtlMs === undefined ? 0 : wholeMs(cache.missTtlMs, `${what}.missTtlMs`, 1),
  }
}
