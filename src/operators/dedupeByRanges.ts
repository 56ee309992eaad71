import type { MonoTypeOperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Json } from '../runtime/json.ts'
import { spanning } from '../runtime/operator/spanning.ts'
import { Span, type SpanTime } from '../runtime/spans/span.ts'
import { SpanNumbers } from '../runtime/spans/spanColumns.ts'
import { SpanKeys } from '../runtime/spans/spanKeys.ts'
import type { KeyedEntry, StateCodec } from '../runtime/state/keyedState.ts'
import type { SavedOperator } from '../runtime/state/savedState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'
import type { DedupeByRanges } from './dedupe.ts'
import { HighestRuns } from './highestRuns.ts'
import { Hole } from './holes.ts'
import { decodeRuns, encodeRuns, IdRanges, type RunBlock } from './idRanges.ts'
import { keyOf } from './keyOf.ts'
import { PlacesByNumber } from './placesByNumber.ts'
import { StandingTime } from './standingTime.ts'

/** Runs are forgotten when time passes one of so many steps in a ttl, which is often enough and looks at a key less often. */
const stepsPerTtl = 4

/** `dedupe` with one entry a run of ids. */
export function dedupeByRanges<T>(
  name: string,
  ttlMs: number,
  { by, id, takesHoles, onReject }: DedupeByRanges<T>,
): MonoTypeOperatorFunction<T | Hole> {
  const stepMs = Math.max(1, Math.floor(ttlMs / stepsPerTtl))
  const spec = {
    ...{ name, version: 3, shape: { ids: 'ranges' }, migrate: fromOlder },
    ...{ passesRedriven: true, takesLent: true, onReject },
  }
  return spanning<T | Hole, T | Hole>(spec, (restored, out) => {
    const seen = restored.keyed<IdRanges>(rangesState)
    const highest = new HighestRuns()
    const blocks = restored.keyed<RunBlock>(blockState, 'blocks')
    const time = takesHoles === true ? new StandingTime(restored) : null
    /** Keys by the time when a run of theirs may be over. Of several times of a key the one that its ranges name counts. */
    const expiring = new TimerQueue<string>()

    function expire(key: string, ranges: IdRanges): void {
      ranges.expiresAt = ranges.oldest + ttlMs
      expiring.add(ranges.expiresAt, key)
      out.wakeAt(ranges.expiresAt)
    }

    function watch(key: string, ranges: IdRanges): IdRanges {
      ranges.onBlock = (block, isGone) => {
        const name = `${block.name}:${key}`
        if (isGone) blocks.delete(name)
        else blocks.set(name, block)
      }
      return ranges
    }

    function forget(key: string, ranges: IdRanges): void {
      seen.delete(key)
      // Another key will have its place.
      byNumber.clear()
      ranges.release()
    }

    out.wakeAt(Number.POSITIVE_INFINITY)
    const saved = new Map<string, RunBlock[]>()
    for (const [name, block] of blocks.entries()) {
      const key = name.slice(name.indexOf(':') + 1)
      const own = saved.get(key) ?? []
      saved.set(key, own)
      own.push(block)
    }
    for (const [key, ranges] of seen.entries()) {
      ranges.moveTo(highest)
      watch(key, ranges).attach(saved.get(key) ?? [])
      expire(key, ranges)
    }

    const first = new Span<T | Hole>()
    // A hole is never lent.
    const keys = new SpanKeys(by as (value: T | Hole) => string)
    const ids = new SpanNumbers(id as (value: T | Hole) => number)
    /** By record: where the highest run of its key lies; -1 where nothing is kept for the key. */
    const places = new Int32Array(first.records.length)
    /** By place. */
    const entries: KeyedEntry<IdRanges>[] = []
    const byNumber = new PlacesByNumber()

    function placeOf(record: number): number {
      const entry = seen.entry(keys.keyAt(record))
      if (entry === undefined) return -1
      const at = entry.value.place
      entries[at] = entry
      byNumber.note(keys.numbers[record] as number, at)
      return at
    }

    /** Finds the highest run of the key of each value. Short, so that the processor waits for the runs of many keys at once. */
    function findRuns({ records }: Span<T | Hole>, count: number): void {
      byNumber.under(keys.numbering)
      const { numbers } = keys
      for (let i = 0; i < count; i += 1) {
        const record = records[i] as number
        const known = byNumber.at(numbers[record] as number)
        const at = known < 0 ? placeOf(record) : known
        places[record] = at
        if (at >= 0) highest.beginLook(at)
      }
    }

    /** Adds those to `first` that come for the first time, up to the value that would do more than go on with the highest run of its key; gives how many are before that. */
    function foresee(span: Span<T | Hole>, count: number): number {
      findRuns(span, count)
      const { records } = span
      const { of } = ids
      for (let looked = 0; looked < count; looked += 1) {
        const record = records[looked] as number
        const at = places[record] as number
        const number = of[record] as number
        if (at < 0 || !Number.isSafeInteger(number)) return looked
        const isFirst = highest.foresee(at, number)
        if (isFirst === null) return looked
        if (isFirst) first.records[first.count++] = record
      }
      return count
    }

    function put(value: T): void {
      const key = keyOf(by, value, name)
      const number = id(value)
      if (!Number.isSafeInteger(number)) {
        refusePromise(`${name}: id`, number)
        out.reject('bad-id', `${name}: ids in ranges are whole numbers, got ${number}`)
        return
      }
      const at = out.valueTime()
      const entry = seen.entry(key) ?? seen.set(key, watch(key, new IdRanges(highest)))
      const ranges = entry.value
      if (!ranges.add(number, at)) return
      seen.touch(entry)
      if (ranges.hasNewRun) {
        ranges.hasNewRun = false
        if (at + ttlMs < ranges.expiresAt) expire(key, ranges)
      }
      out.emit(value)
    }

    return {
      onValue(value) {
        if (time !== null && value instanceof Hole) time.note(value, out.watermark)
        else if (!out.isRedriven) return put(value as T)
        out.emit(value)
      },
      look(span, to) {
        first.begin(span)
        first.value = span.value
        const count = span.time === null ? 0 : span.countBefore(to)
        const looked = count === 0 ? 0 : foresee(span, ids.read(span, keys.read(span, count)))
        return out.lookOn(first, span.recordBehind(looked, to))
      },
      take({ time }, to) {
        const count = first.countBefore(to)
        const { cut } = seen
        const times = (time as SpanTime).of
        for (let i = 0; i < count; i += 1) {
          const record = first.records[i] as number
          const at = places[record] as number
          highest.goOn(at, ids.of[record] as number, times[record] as number)
          if (highest.noteChange(at, cut)) seen.touch(entries[at] as KeyedEntry<IdRanges>)
        }
        out.takeOn(first, to)
      },
      onWatermark(watermark, before) {
        const step = Math.floor(watermark / stepMs)
        if (step === Math.floor(before / stepMs)) return out.wakeAt((step + 1) * stepMs)
        const until = time?.at(watermark) ?? watermark
        for (let due = expiring.take(until); due !== undefined; due = expiring.take(until)) {
          for (const key of due.items) {
            const ranges = seen.get(key)
            if (ranges === undefined || ranges.expiresAt !== due.time) continue
            if (ranges.isStale(until - ttlMs)) {
              seen.update(key)
              ranges.forget(until - ttlMs)
            }
            if (ranges.isEmpty) forget(key, ranges)
            else expire(key, ranges)
          }
        }
        out.wakeAt(Math.max(expiring.nextDue, (step + 1) * stepMs))
      },
    }
  })
}

const rangesState: StateCodec<IdRanges> = {
  encode: (ranges) => ranges.encode(),
  decode: (saved) => IdRanges.decode(saved),
}

const blockState: StateCodec<RunBlock> = {
  encode: ({ name, runs }) => [name, encodeRuns(runs)],
  decode: (saved) => {
    const [name, runs] = saved as unknown as readonly [string, Json]
    return { name, runs: decodeRuns(runs) }
  },
}

/** 0.1.0 had the ttl in the shape, which does not shape it; version 2 had all runs of a key together. */
function fromOlder(saved: SavedOperator): SavedOperator {
  const { ids } = (saved.shape ?? {}) as { readonly ids?: string }
  return saved.version < 3 && ids === 'ranges' ? { ...saved, version: 3, shape: { ids } } : saved
}
