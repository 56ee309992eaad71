import type { MonoTypeOperatorFunction } from 'rxjs'
import { ConfigurationError } from '../runtime/errors.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import { plainState } from '../runtime/state/plainState.ts'
import { isEventMs, notEventMs } from './eventMs.ts'
import { UpstreamMarks } from './upstreamMarks.ts'

/** Where `upstreamTime` finds the time of a value, and whose markers it waits for. */
export interface UpstreamTimeOptions<T> {
  /** When the value happened: ms UTC, a whole number. What the pipeline above says of it too; of a window's result `end - 1`, not `start`. */
  readonly of: (value: T) => number
  /**
   * The pipelines whose markers count, where several write the topic: `['web', 'shops']`, or `'web/clicks'` for the one of that name over topic `clicks`. Time waits for each of them from the start,
   * and for no other. Left out, every pipeline counts from its first marker on; that is enough where one writes the topic.
   */
  readonly from?: readonly string[]
  /** How many values may come before the first marker; one more ends the task, because nothing below would ever be due. 1,000,000 if left out. */
  readonly maxUnmarked?: number
  /** Unique in a pipeline; `upstreamTime` if left out. */
  readonly name?: string
}

interface Saved {
  readonly upstreams: ReturnType<UpstreamMarks['snapshot']>
  readonly unmarked: number
}

const defaultMaxUnmarked = 1_000_000

const rules: OptionRules<UpstreamTimeOptions<never>> = {
  of: needed.callback,
  from: optional.such("a list with the names of pipelines, such as ['web', 'shops']", isNames),
  maxUnmarked: optional.number,
  name: optional.text,
}

/**
 * Passes every value on, and moves time by the markers that the pipeline above has written into the topic (`toTopic` with `markers`): the watermark is the least of what each task above said last.
 *
 * Exact, without a bound or a guess: a value is never late here that was not late above. A task above that was never started holds time back, and so does one that is behind; one whose input was
 * declared ended does not. When all have ended, everything that is open below fires. Time never goes back: where a task above begins anew from the start, what it sends again for windows that
 * have fired is late. Silence moves nothing. A value without a whole-number time is set aside as `no-event-time`.
 * Keeps one number an upstream task and outlet, for good. They are part of the checkpoint, and markers are part of the log, so a replay moves time at the same places.
 * @throws ConfigurationError on options out of range, outside of a pipeline, or when more than `maxUnmarked` values have come and no marker; the start of a pipeline ends with one where it stands below several inputs,
 * or where a pipeline with one input has `idleAfterMs`
 */
export function upstreamTime<T>(options: UpstreamTimeOptions<T>): MonoTypeOperatorFunction<T> {
  checkOptions('upstreamTime', options, rules)
  const { of, from, name = 'upstreamTime', maxUnmarked = defaultMaxUnmarked } = options
  if (!Number.isSafeInteger(maxUnmarked) || maxUnmarked < 0)
    throw new ConfigurationError(`${name}: maxUnmarked must be a whole number from 0, got ${maxUnmarked}`)
  const spec: OperatorSpec = { name, ownsTime: true, readsMarkers: true, passesRedriven: true }
  return stateful<T, T>(spec, (restored, out) => {
    if (!out.isInTask) {
      throw new ConfigurationError(
        `${name}: markers are read by the input of a pipeline, and there is none here. Use eventTime({ of, maxOutOfOrdernessMs }) outside of a pipeline.`,
      )
    }
    const saved = restored.snapshot as unknown as Saved | undefined
    const marks = new UpstreamMarks(
      name,
      restored.keyed(plainState<number | null>()),
      restored.keyed(plainState<true>(), 'ended'),
      saved?.upstreams,
      from ?? null,
    )
    // Counts the values before the first marker.
    let unmarked = saved?.unmarked ?? 0
    let isMarked = saved !== undefined && saved.upstreams !== null && (saved.upstreams as readonly unknown[]).length > 0

    return {
      onValue(value) {
        const at = of(value)
        if (!isMarked && !out.isRedriven) {
          unmarked += 1
          if (unmarked > maxUnmarked) throw noMarkers(name, maxUnmarked)
        }
        if (isEventMs(at)) out.pass(at, value, Number.NEGATIVE_INFINITY)
        else out.reject('no-event-time', notEventMs(at))
      },
      onMarker(marker) {
        isMarked = true
        marks.take(marker)
        const { least } = marks
        if (least !== null) out.advance(least)
      },
      onComplete() {
        out.close()
      },
      hasEnded: () => marks.hasEnded,
      heldBy: () => marks.holder,
      snapshot: () => ({ upstreams: marks.snapshot(), unmarked: isMarked ? 0 : unmarked }),
    }
  })
}

/** JavaScript may give anything. */
function isNames(from: unknown): boolean {
  return Array.isArray(from) && from.length > 0 && from.every((one) => typeof one === 'string' && one !== '')
}

function noMarkers(name: string, maxUnmarked: number): ConfigurationError {
  return new ConfigurationError(
    `${name}: ${maxUnmarked} values have come and no marker, so no time is known and nothing below will ever be due. Have the topic written by toTopic({ markers: true }) of a pipeline with an eventTime, ` +
      'or read it with eventTime({ of, maxOutOfOrdernessMs }) instead. Where it will have markers later, and so many values are before them, raise maxUnmarked.',
  )
}
