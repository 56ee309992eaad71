import type { Candle } from '../market/candle.ts'
import { type Interval, intervalMs } from '../market/interval.ts'
import { longerCandle } from '../market/longerCandle.ts'
import { goldIntervals } from '../pipelines/medallion.ts'

/**
 * Makes the longer candles of minutes that are closed, come in the order of their time, and are never corrected: what the operators of `realtime` make of them, without what those need for all else. Holds the parts of the candles
 * that are open.
 */
export class GoldRollup {
  readonly #first: LongerCandles

  /** @param emit is given each candle of gold, those of one length in the order of their time, and no candle before the shorter ones that it is made of */
  constructor(emit: (candle: Candle) => void) {
    const first = goldIntervals.reduceRight<LongerCandles | null>(
      (next, interval) => new LongerCandles(interval, next, emit),
      null,
    )
    this.#first = first as LongerCandles
  }

  /** @param minute of the same symbol as the one before it, and behind it; or the first since the end */
  add(minute: Candle): void {
    this.#first.add(minute)
  }

  /** Ends all that are open. */
  end(): void {
    this.#first.end()
  }
}

/** Candles of one length, of the next shorter ones. */
class LongerCandles {
  readonly #interval: Interval
  readonly #lengthMs: number
  readonly #next: LongerCandles | null
  readonly #emit: (candle: Candle) => void
  readonly #parts: Candle[] = []
  #openTime = 0

  constructor(interval: Interval, next: LongerCandles | null, emit: (candle: Candle) => void) {
    this.#interval = interval
    this.#lengthMs = intervalMs[interval]
    this.#next = next
    this.#emit = emit
  }

  add(part: Candle): void {
    if (part.openTime >= this.#openTime + this.#lengthMs) this.#close()
    if (this.#parts.length === 0) this.#openTime = Math.floor(part.openTime / this.#lengthMs) * this.#lengthMs
    this.#parts.push(part)
  }

  end(): void {
    this.#close()
    this.#next?.end()
  }

  #close(): void {
    if (this.#parts.length === 0) return
    const place = { interval: this.#interval, openTime: this.#openTime, isClosed: true, revision: 1 }
    const candle = longerCandle(this.#parts, place)
    this.#parts.length = 0
    this.#emit(candle)
    this.#next?.add(candle)
  }
}
