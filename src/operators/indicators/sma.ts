import type { OperatorFunction } from 'rxjs'
import { loadFixed8, type SavedFixed8, saveFixed8 } from '../savedFixed8.ts'
import { type Closes, meanOf, noCloses, withClose } from './closes.ts'
import type { IndicatorFold } from './fold.ts'
import type { CandleForIndicator, Indicator, IndicatorOptions, IndicatorValue } from './indicator.ts'
import { indicator } from './indicatorOperator.ts'
import { wholePeriod } from './period.ts'

/** How many candles `sma` takes the mean of. */
export interface SmaOptions extends IndicatorOptions {
  /** How many candles, 1 to 1,000. */
  readonly period: number
}

/**
 * The simple moving average: the mean of the last `period` closes, from an exact sum that is divided once. It has its first value at the `period`th candle.
 *
 * Keeps `period` closes and the last `corrections` candles a series, as part of the checkpoint, and lets go of none: a crash changes no value, and a replay gives the same again.
 * @throws ConfigurationError on options out of range
 */
export function sma(options: SmaOptions): OperatorFunction<CandleForIndicator, Indicator<IndicatorValue>> {
  return indicator(`sma:${wholePeriod(options.period, 'sma: period')}`, options, smaFold(options.period))
}

export function smaFold(period: number): IndicatorFold<Closes, IndicatorValue> {
  return {
    initial: noCloses,
    lookback: period,
    next: (before, { close }) => withClose(before, close, period),
    value: (kept) => (kept.closes.length < period ? null : { value: meanOf(kept) }),
    state: {
      encode: ({ closes }) => closes.map(saveFixed8),
      decode: (saved) =>
        (saved as readonly SavedFixed8[])
          .map(loadFixed8)
          .reduce((kept, close) => withClose(kept, close, period), noCloses),
    },
  }
}
