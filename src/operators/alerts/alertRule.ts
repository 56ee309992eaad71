import type { AlertSeverity } from '../../market/alertEvent.ts'
import type { Interval } from '../../market/interval.ts'
import type { Duration } from '../../runtime/duration.ts'

/** A number that something is held against: exact, so decimal text or a whole or decimal literal, such as `'65000.50'`, `65000` or `-5`; at most 8 places. */
export type Threshold = string | number

/** What all alert rules have. */
export interface AlertRuleBase {
  /** Unique among the rules. With the symbol and the candle it says which decision one is; lower-case letters, digits, `-` and `_`. */
  readonly name: string
  /** How long it must hold before the alert fires: ms, or text such as `'2m'`. At once if left out. */
  readonly for?: Duration
  /** How long it must be over before the alert is resolved: ms, or text such as `'5m'`; 5 minutes if left out. */
  readonly keepFiringFor?: Duration
  /** How often it may fire in an hour, for each symbol; one more is told as `flapping`, and then nothing until there is room again. 4 if left out. */
  readonly maxPerHour?: number
  /** Who is to care; `ticket` if left out. */
  readonly severity?: AlertSeverity
  /** Put in front of each text of it, such as what to do about it. Nothing if left out. */
  readonly note?: string
}

/** What something is held against: exactly one of `above` and `below`. */
export interface AlertBounds {
  /** It is bad above this. */
  readonly above?: Threshold
  /** It is bad below this. */
  readonly below?: Threshold
  /** It is over at this value or beyond it, back on the good side; the threshold itself if left out. */
  readonly clear?: Threshold
}

/** A rule over closed candles. */
export interface CandleAlertRule extends AlertRuleBase, AlertBounds {
  /**
   * `price` holds the close against the threshold, in the quote asset; `volume` the volume of the candle, in the base asset; `change` by how many percent the close differs from the one `over` before; `indicator` the value of an
   * indicator.
   */
  readonly kind: 'price' | 'volume' | 'change' | 'indicator'
  /** Which symbols; all if left out. */
  readonly symbols?: readonly string[]
  /** Of which candles; `1m` if left out. */
  readonly interval?: Interval
  /** For `change`: how long before, a multiple of the interval and at most 1,000 of it: ms, or text such as `'1h'`. */
  readonly over?: Duration
  /** For `indicator`: which one. */
  readonly indicator?: 'sma' | 'ema' | 'rsi' | 'macd' | 'bollinger' | 'atr'
  /** For `indicator`: over how many candles, 2 to 1,000; what is usual if left out (14, 20 for averages and bands). Nothing to `macd`, which is 12, 26, 9. */
  readonly period?: number
  /** For `macd` and `bollinger`: which of its lines; `histogram` and `middle` if left out. */
  readonly line?: 'macd' | 'signal' | 'histogram' | 'upper' | 'middle' | 'lower'
  /** Tells `noData` when so long after the end of a candle no further one has closed: ms, or text such as `'5m'`; never if left out. */
  readonly noDataAfter?: Duration
}

/** A rule over gaps in the feed: bad while trades of a symbol are known to be missing. */
export interface GapAlertRule extends AlertRuleBase {
  readonly kind: 'gap'
  /** Which symbols; all if left out. */
  readonly symbols?: readonly string[]
}

/** A rule over what is measured of the running pipelines. */
export interface MeasureAlertRule extends AlertRuleBase, AlertBounds {
  /**
   * `lag`: records behind the end of the log. `watermark`: seconds that event time is behind. `checkpoint`: seconds since the last commit. `deadLetters`: how many wait. `gaps`: how many are open. `outbox`: seconds that the
   * oldest message waits to be sent.
   */
  readonly kind: 'lag' | 'watermark' | 'checkpoint' | 'deadLetters' | 'gaps' | 'outbox'
}

/** A rule that decides when an alert fires and when it is over. */
export type AlertRule = CandleAlertRule | GapAlertRule | MeasureAlertRule
