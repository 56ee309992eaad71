import type { Fixed8 } from '../../exact/decimal.ts'
import type { Bar, IndicatorFold } from './fold.ts'

/** Where an indicator stands behind a candle. */
interface Standing<S> {
  readonly state: S
  /** For how many further candles, this one included, a hole plays a part. */
  readonly holes: number
}

/** One of the last candles, which can still be corrected. */
export interface Slot<S> {
  /** Null where the interval was quiet. */
  bar: Bar | null
  readonly openTime: number
  isComplete: boolean
  /** Of the candle. */
  candleRevision: number
  /** Of the value; 0 while there is none. */
  revision: number
  after: Standing<S>
  close: Fixed8
}

/** What lies behind the slots and can no longer change. */
export interface Settled<S> extends Standing<S> {
  /** Of the last candle in it; null before there is one. */
  readonly last: { readonly openTime: number; readonly close: Fixed8 } | null
}

/** A candle, and whether it has a hole. */
export interface SeriesCandle extends Bar {
  readonly isComplete: boolean
  readonly revision: number
}

/** A value, as it is now. */
export interface SeriesValue<V> {
  readonly openTime: number
  readonly value: V
  readonly isComplete: boolean
  readonly revision: number
}

/** How a series takes candles. */
export interface SeriesRules {
  readonly intervalMs: number
  /** How many of the last candles can be corrected. */
  readonly corrections: number
  /** How many quiet intervals may stand between two candles; null where they are left out. */
  readonly maxQuiet: number | null
}

/**
 * The candles of one symbol and interval under one indicator. The last ones are kept, each with what the indicator had come to behind it, so that a candle which is corrected, or
 * comes late, is reckoned with as if it had come in its place.
 */
export class Series<S, V extends object> {
  readonly #fold: IndicatorFold<S, V>
  readonly #rules: SeriesRules
  settled: Settled<S>
  readonly slots: Slot<S>[] = []

  constructor(fold: IndicatorFold<S, V>, rules: SeriesRules) {
    this.#fold = fold
    this.#rules = rules
    this.settled = { state: fold.initial, holes: 0, last: null }
  }

  /** Takes a closed candle; gives the values that are new or have changed, by time. */
  add(candle: SeriesCandle): SeriesValue<V>[] {
    const { settled, slots } = this
    const newest = slots.at(-1)
    if (newest === undefined || candle.openTime > newest.openTime) {
      if (newest !== undefined && this.#quietBetween(newest.openTime, candle.openTime) === null) this.#startAnew()
      const from = slots.length
      this.#insert(slots.length, candle)
      return this.#trimmed(this.#reckon(from))
    }
    const at = slots.findIndex((slot) => slot.openTime >= candle.openTime)
    const found = slots[at] as Slot<S>
    if (found.openTime === candle.openTime) {
      if (candle.revision <= found.candleRevision) return []
      found.bar = candle
      found.isComplete = candle.isComplete
      found.candleRevision = candle.revision
      return this.#reckon(at)
    }
    const isSettled = at === 0 && settled.last !== null
    if (isSettled || !this.#hasRoomBefore(at, candle.openTime)) {
      this.settled = { ...settled, holes: this.#fold.lookback }
      return this.#reckon(0)
    }
    this.#insert(at, candle)
    return this.#trimmed(this.#reckon(at))
  }

  /**
   * What the value would be if the candle, which is still open, closed as it is; null where there is none, or a later candle has closed.
   * @param alsoOpen further open candles, in order of time: those before it count as they are
   */
  preview(candle: Bar, alsoOpen: readonly Bar[] = []): Omit<SeriesValue<V>, 'revision'> | null {
    const newest = this.slots.at(-1)
    if (newest !== undefined && candle.openTime <= newest.openTime) return null
    let last: { readonly openTime: number; readonly close: Fixed8 } | undefined = newest
    let standing: Standing<S> = newest?.after ?? this.settled
    const isBetween = ({ openTime }: Bar) =>
      openTime < candle.openTime && openTime > (newest?.openTime ?? Number.NEGATIVE_INFINITY)
    for (const bar of [...alsoOpen.filter(isBetween), candle]) {
      const quiet = last === undefined ? [] : this.#quietBetween(last.openTime, bar.openTime)
      if (quiet === null) standing = { state: this.#fold.initial, holes: 0 }
      else for (const openTime of quiet) standing = this.#step(standing, flat(openTime, last?.close ?? 0), true)
      standing = this.#step(standing, bar, true)
      last = bar
    }
    const value = this.#fold.value(standing.state)
    return value === null ? null : { openTime: candle.openTime, value, isComplete: standing.holes === 0 }
  }

  /** Goes through all slots again, which have been restored without what stands behind each. */
  restored(): this {
    let standing: Standing<S> = this.settled
    let close = this.settled.last?.close ?? 0
    for (const slot of this.slots) {
      standing = slot.after = this.#step(standing, slot.bar ?? flat(slot.openTime, close), slot.isComplete)
      close = slot.close = slot.bar?.close ?? close
    }
    return this
  }

  #startAnew(): void {
    this.slots.length = 0
    this.settled = { state: this.#fold.initial, holes: 0, last: null }
  }

  /** The open times of the quiet intervals between two candles; null where there are too many. */
  #quietBetween(earlier: number, later: number): number[] | null {
    const { intervalMs, maxQuiet } = this.#rules
    if (maxQuiet === null) return []
    const count = (later - earlier) / intervalMs - 1
    if (count > maxQuiet) return null
    return Array.from({ length: count }, (_, i) => earlier + (i + 1) * intervalMs)
  }

  /** Whether a candle that comes late fits in front of the slot, which is the oldest. */
  #hasRoomBefore(at: number, openTime: number): boolean {
    const { intervalMs, corrections, maxQuiet } = this.#rules
    const newest = this.slots.at(-1) as Slot<S>
    return maxQuiet === null
      ? this.slots.length - at < corrections
      : (newest.openTime - openTime) / intervalMs < corrections
  }

  /** Puts the candle at the place, and quiet intervals where there would be gaps. */
  #insert(at: number, candle: SeriesCandle): void {
    const { slots } = this
    const before = slots[at - 1]
    const after = slots[at]
    const quiet = (earlier: number, later: number) => (this.#quietBetween(earlier, later) ?? []).map(quietSlot<S>)
    slots.splice(
      at,
      0,
      ...(before === undefined ? [] : quiet(before.openTime, candle.openTime)),
      slotOf<S>(candle),
      ...(after === undefined ? [] : quiet(candle.openTime, after.openTime)),
    )
  }

  /** Goes from candle to candle again, from the slot on. */
  #reckon(from: number): SeriesValue<V>[] {
    const changed: SeriesValue<V>[] = []
    const before = this.slots[from - 1]
    let standing: Standing<S> = before?.after ?? this.settled
    let close = before?.close ?? this.settled.last?.close ?? 0
    for (const slot of this.slots.slice(from)) {
      const was = slot.revision === 0 ? null : this.#fold.value(slot.after.state)
      const wasComplete = slot.revision !== 0 && slot.after.holes === 0
      standing = slot.after = this.#step(standing, slot.bar ?? flat(slot.openTime, close), slot.isComplete)
      close = slot.close = slot.bar?.close ?? close
      const value = this.#fold.value(standing.state)
      if (value === null) continue
      const isComplete = standing.holes === 0
      if (was !== null && isComplete === wasComplete && isSame(was, value)) continue
      slot.revision += 1
      changed.push({ openTime: slot.openTime, value, isComplete, revision: slot.revision })
    }
    return changed
  }

  #step({ state, holes }: Standing<S>, bar: Bar, isComplete: boolean): Standing<S> {
    const fold = this.#fold
    const left = fold.startsAnew?.(state, bar) === true ? 0 : Math.max(0, holes - 1)
    return { state: fold.next(state, bar), holes: isComplete ? left : fold.lookback }
  }

  #trimmed(values: SeriesValue<V>[]): SeriesValue<V>[] {
    const surplus = this.slots.length - this.#rules.corrections
    if (surplus > 0) {
      const last = this.slots[surplus - 1] as Slot<S>
      this.settled = { ...last.after, last: { openTime: last.openTime, close: last.close } }
      this.slots.splice(0, surplus)
    }
    return values
  }
}

function slotOf<S>(candle: SeriesCandle): Slot<S> {
  return {
    bar: candle,
    openTime: candle.openTime,
    isComplete: candle.isComplete,
    candleRevision: candle.revision,
    revision: 0,
    after: unknownYet as Standing<S>,
    close: candle.close,
  }
}

function quietSlot<S>(openTime: number): Slot<S> {
  return {
    bar: null,
    openTime,
    isComplete: true,
    candleRevision: -1,
    revision: 0,
    after: unknownYet as Standing<S>,
    close: 0,
  }
}

/** Stands where the reckoning has not come yet. */
export const unknownYet: Standing<unknown> = { state: undefined, holes: 0 }

function flat(openTime: number, close: Fixed8): Bar {
  return { openTime, high: close, low: close, close, volume: 0, quoteVolume: 0n }
}

function isSame<V extends object>(a: V, b: V): boolean {
  return Object.entries(a).every(([name, value]) => Object.is(value, (b as Record<string, unknown>)[name]))
}
