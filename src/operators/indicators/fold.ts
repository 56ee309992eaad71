import type { Fixed8, Fixed16 } from '../../exact/decimal.ts'
import type { StateCodec } from '../../runtime/state/keyedState.ts'

/** The candle of a closed interval, or what stands for a quiet one. */
export interface Bar {
  readonly openTime: number
  readonly high: Fixed8
  readonly low: Fixed8
  readonly close: Fixed8
  readonly volume: Fixed8
  readonly quoteVolume: Fixed16
}

/**
 * How an indicator goes from candle to candle. A state is never changed in place: it is kept for every candle that can still be corrected, and a preview is made of it.
 * @typeParam S what it keeps of the candles so far
 * @typeParam V its values at a candle
 */
export interface IndicatorFold<S, V> {
  readonly initial: S
  next(before: S, bar: Bar): S
  /** Null until enough candles have come. */
  value(state: S): V | null
  /** How many candles, the last one included, a value looks back on. */
  readonly lookback: number
  /** True where the candle is the first of what the values look back on, whatever came before. */
  startsAnew?(before: S, bar: Bar): boolean
  readonly state: StateCodec<S>
}

/** One count of 1e-8 as a price: the nearest double of it. */
export function priceOf(units: Fixed8): number {
  return Number(units) / 1e8
}
