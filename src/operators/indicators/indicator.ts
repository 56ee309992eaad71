import type { Fixed8, Fixed16 } from '../../exact/decimal.ts'
import type { Interval } from '../../market/interval.ts'
import type { Market } from '../../market/trade.ts'

/** What an indicator reads of a candle. `Candle` is one. */
export interface CandleForIndicator {
  readonly market: Market
  readonly symbol: string
  readonly interval: Interval
  /** ms UTC, a multiple of the interval. */
  readonly openTime: number
  /** Counts of 1e-8. */
  readonly high: Fixed8
  /** Counts of 1e-8. */
  readonly low: Fixed8
  /** Counts of 1e-8. */
  readonly close: Fixed8
  /** Base asset, counts of 1e-8. */
  readonly volume: Fixed8
  /** Quote asset, counts of 1e-16. */
  readonly quoteVolume: Fixed16
  /** False for a preview: its indicator is one too, and leaves no trace in what is kept. */
  readonly isClosed: boolean
  /** Of two candles of one open time the greater one counts. */
  readonly revision: number
  /** False where trades are known to be missing from it; true if left out. */
  readonly isComplete?: boolean
}

/** The values of an indicator at one candle. */
export type Indicator<V> = V & {
  readonly market: Market
  readonly symbol: string
  readonly interval: Interval
  /** Of the candle, ms UTC. */
  readonly openTime: number
  /** Which indicator with which numbers, such as `sma:20`. */
  readonly indicator: string
  /** False where a candle that it looks back on has a hole, or was corrected too late to be reckoned with. */
  readonly isComplete: boolean
  /** False for a preview, made of a candle that is still open. */
  readonly isClosed: boolean
  /** 0 for a preview, 1 at first, one more each time that a corrected or late candle changes it. */
  readonly revision: number
}

/** The one value that most indicators have. Numbers are prices in the quote asset, but for `rsi`: 0 to 100. */
export interface IndicatorValue {
  readonly value: number
}

/** What all indicators may be told. */
export interface IndicatorOptions {
  /** Unique in a pipeline; the indicator with its numbers, such as `sma:20`, if left out. */
  readonly name?: string
  /**
   * How many of a symbol's last candles can still be corrected, or come late; 10 if left out. A correction of an older one changes no value: what looks back on it says
   * `isComplete: false`.
   */
  readonly corrections?: number
  /**
   * What an interval without a candle is: `flat`, as if it had had the last close at no volume, gives a value for it too; `skipped` leaves it out, as for a market that closes
   * at night. `flat` if left out.
   */
  readonly quiet?: 'flat' | 'skipped'
  /** How many quiet intervals there may be: after more, the symbol starts anew; 1,440 if left out. Nothing to `quiet: 'skipped'`. */
  readonly maxQuiet?: number
  /** How many series (market, symbol and interval) there may be: one more ends the task, with nothing lost; 1,000,000 if left out. */
  readonly maxKeys?: number
}
