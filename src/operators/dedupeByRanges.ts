import type { MonoTypeOperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import type { Json } from '../runtime/json.ts'
import type { KeyedEntry, StateCodec } from '../runtime/keyedState.ts'
import { place } from '../runtime/lent.ts'
import type { SavedOperator } from '../runtime/savedState.ts'
import { Span } from '../runtime/span.ts'
import { spanning } from '../runtime/spanning.ts'
import { TimerQueue } from '../runtime/timerQueue.ts'
import type { DedupeByRanges } from './dedupe.ts'
import { HighestRuns } from './highestRuns.ts'
import { decodeRuns, encodeRuns, IdRanges, type RunBlock } from './idRanges.ts'
import { keyOf } from './keyOf.ts'
import { KeysByNumber } from './keysByNumber.ts'

/** Runs are forgotten when time passes one of so many steps in a ttl, which is often enough and looks at a key less often. */
const stepsPerTtl = 4

/** `dedupe` with one entry a run of ids. */
export function dedupeByRanges<T>(
  name: string,
  ttlMs: number,
  { by, id, onReject }: DedupeByRanges<T>,
): MonoTypeOperatorFunction<T> {
  const stepMs = Math.max(1, Math.floor(ttlMs / stepsPerTtl))
  const spec = {
    ...{ name, version: 3, shape: { ids: 'ranges' }, migrate: fromOlder },
    ...{ passesRedriven: true, takesLent: true, onReject },
  }
  return spanning<T, T>(spec, (restored, out) => {
    const seen = restored.keyed<IdRanges>(rangesState)
    const highest = new HighestRuns()
    const blocks = restored.keyed<RunBlock>(blockState, 'blocks')
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

    const first = new Span<T>()
    /** By record: where the highest run of its key lies, and its id. */
    const places = new Int32Array(first.records.length)
    const ids = new Float64Array(first.records.length)
    /** By place. */
    const entries: KeyedEntry<IdRanges>[] = []
    const byNumber = new KeysByNumber<number>()
    let atHand: KeyedEntry<IdRanges> | undefined

    /** Where the highest run of the value's key lies; -1 where nothing is kept for the key. */
    function placeOf(key: string, record: number): number {
      const known = byNumber.find(key, record)
      if (known !== undefined) return known
      // Many values in a row are of one key.
      if (key !== atHand?.key) atHand = seen.entry(key)
      const entry = atHand
      if (entry === undefined) return -1
      const at = entry.value.place
      entries[at] = entry
      byNumber.note(key, record, at)
      return at
    }

    /** Of so many values where what is kept of their keys lies, up to the first that would do more than go on with the highest run. */
    function locate({ value, records }: Span<T>, count: number): number {
      let located = 0
      atHand = undefined
      byNumber.begin(value)
      try {
        for (; located < count; located += 1) {
          const record = records[located] as number
          value[place] = record
          const key = by(value)
          const number = id(value)
          const at = placeOf(key, record)
          if (at < 0 || !Number.isSafeInteger(number)) break
          places[record] = at
          ids[record] = number
        }
      } catch {
        // It is asked again when the value comes by itself, and what it throws is told then.
      }
      return located
    }

    return {
      onValue(value) {
        if (out.isRedriven) return out.emit(value)
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
      },
      look(span, to) {
        first.begin(span)
        first.value = span.value
        const count = span.time === null ? 0 : locate(span, span.countBefore(to))
        let looked = 0
        for (; looked < count; looked += 1) {
          const record = span.records[looked] as number
          const isFirst = highest.foresee(places[record] as number, ids[record] as number, first.look)
          if (isFirst === null) break
          if (isFirst) first.records[first.count++] = record
        }
        return out.lookOn(first, span.recordBehind(looked, to))
      },
      take({ time }, to) {
        const count = first.countBefore(to)
        const { cut } = seen
        for (let i = 0; i < count; i += 1) {
          const record = first.records[i] as number
          const at = places[record] as number
          highest.goOn(at, ids[record] as number, time?.of[record] as number)
          if (highest.noteChange(at, cut)) seen.touch(entries[at] as KeyedEntry<IdRanges>)
        }
        out.takeOn(first, to)
      },
      onWatermark(watermark, before) {
        const step = Math.floor(watermark / stepMs)
        if (step === Math.floor(before / stepMs)) return out.wakeAt((step + 1) * stepMs)
        for (let due = expiring.take(watermark); due !== undefined; due = expiring.take(watermark)) {
          for (const key of due.items) {
            const ranges = seen.get(key)
            if (ranges === undefined || ranges.expiresAt !== due.time) continue
            if (ranges.isStale(watermark - ttlMs)) {
              seen.update(key)
              ranges.forget(watermark - ttlMs)
            }
            if (ranges.isEmpty) forget(key, ranges)
            else expire(key, ranges)
          }
        }
        out.wakeAt(expiring.nextDue)
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
