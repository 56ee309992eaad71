import type { MonoTypeOperatorFunction } from 'rxjs'
import { ConfigurationError } from '../runtime/errors.ts'
import type { StateCodec } from '../runtime/keyedState.ts'
import type { OperatorSpec, Output } from '../runtime/operator.ts'
import { stateful } from '../runtime/stateful.ts'
import { IdRanges } from './idRanges.ts'

interface DedupeBase<T> {
  /** Unique in a pipeline; `dedupe` if left out. */
  readonly name?: string
  /** Ids of different keys are different. */
  readonly by: (value: T) => string
  /** How long an id is remembered, ms of event time. */
  readonly ttlMs: number
  readonly onReject?: OperatorSpec['onReject']
}

export interface DedupeBySet<T> extends DedupeBase<T> {
  readonly id: (value: T) => string | number
  readonly ids?: 'set'
}

export interface DedupeByRanges<T> extends DedupeBase<T> {
  /** A whole number. */
  readonly id: (value: T) => number
  /** For ids that grow by one: whole ranges are kept instead of single ids. */
  readonly ids: 'ranges'
}

/**
 * Passes the first value of each id and drops repeats seen within `ttlMs` of event time.
 *
 * As a set it keeps one entry per live id and forgets an entry once the watermark passes its first sighting by `ttlMs`. As ranges it keeps one entry
 * per unbroken run of ids and forgets a run once the watermark passes its newest sighting by `ttlMs`, so ids of a run that goes on are remembered longer.
 * Ids are part of the checkpoint, so a crash neither re-admits a repeat nor loses a first sighting.
 * @throws ConfigurationError on options out of range
 */
export function dedupe<T>(options: DedupeBySet<T> | DedupeByRanges<T>): MonoTypeOperatorFunction<T> {
  const name = options.name ?? 'dedupe'
  if (!Number.isSafeInteger(options.ttlMs) || options.ttlMs <= 0) {
    throw new ConfigurationError(`${name}: ttlMs must be a positive whole number, got ${options.ttlMs}`)
  }
  return options.ids === 'ranges' ? dedupeByRanges(name, options) : dedupeBySet(name, options)
}

/** Forgetting sweeps all entries, so it is done a few times a ttl; on fixed steps of event time, so that a restore changes nothing. */
function sweeper<O>(out: Output<O>, ttlMs: number, sweep: (watermark: number) => void): (watermark: number) => void {
  const stepMs = Math.max(1, Math.floor(ttlMs / 4))
  let next = out.isInTask ? (Math.floor(out.watermark / stepMs) + 1) * stepMs : Number.NEGATIVE_INFINITY
  return (watermark) => {
    if (watermark < next) return
    next = (Math.floor(watermark / stepMs) + 1) * stepMs
    sweep(watermark)
  }
}

function dedupeBySet<T>(name: string, options: DedupeBySet<T>): MonoTypeOperatorFunction<T> {
  const { by, id, ttlMs } = options
  return stateful<T, T>({ name, shape: { ids: 'set', ttlMs } }, (restored, out) => {
    const seen = restored.keyed<number>(seenAt)
    return {
      onValue(value) {
        const key = `${by(value)}\u0000${id(value)}`
        const before = seen.get(key)
        if (before !== undefined && before + ttlMs > out.watermark) return
        seen.set(key, out.valueTime())
        out.emit(value)
      },
      onWatermark: sweeper(out, ttlMs, (watermark) => {
        for (const [key, at] of seen.entries()) if (at + ttlMs <= watermark) seen.delete(key)
      }),
    }
  })
}

const seenAt: StateCodec<number> = { encode: (at) => at, decode: (saved) => saved as number }

function dedupeByRanges<T>(name: string, options: DedupeByRanges<T>): MonoTypeOperatorFunction<T> {
  const { by, id, ttlMs } = options
  return stateful<T, T>({ name, shape: { ids: 'ranges', ttlMs }, onReject: options.onReject }, (restored, out) => {
    const seen = restored.keyed<IdRanges>({
      encode: (ranges) => ranges.encode(),
      decode: (saved) => IdRanges.decode(saved),
    })
    return {
      onValue(value) {
        const key = by(value)
        const number = id(value)
        if (!Number.isSafeInteger(number)) {
          out.reject('bad-id', `${name}: ids in ranges are whole numbers, got ${number}`)
          return
        }
        let ranges = seen.update(key)
        if (ranges === undefined) {
          ranges = new IdRanges()
          seen.set(key, ranges)
        }
        if (ranges.add(number, out.valueTime())) out.emit(value)
      },
      onWatermark: sweeper(out, ttlMs, (watermark) => {
        for (const [key, ranges] of seen.entries()) {
          if (!ranges.isStale(watermark - ttlMs)) continue
          seen.update(key)?.forget(watermark - ttlMs)
          if (ranges.isEmpty) seen.delete(key)
        }
      }),
    }
  })
}
