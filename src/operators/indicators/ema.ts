import type { OperatorFunction } from 'rxjs'
import { plainState } from '../../runtime/state/plainState.ts'
import { type Exponential, noExponential, withValue } from './exponential.ts'
import { type IndicatorFold, priceOf } from './fold.ts'
import type { CandleForIndicator, Indicator, IndicatorOptions, IndicatorValue } from './indicator.ts'
import { indicator } from './indicatorOperator.ts'
import { wholePeriod } from './period.ts'

/** How slowly `ema` forgets. */
export interface EmaOptions extends IndicatorOptions {
  /** How many candles, 1 to 1,000: the newest close weighs 2 / (period + 1). */
  readonly period: number
}

/**
 * The exponential moving average of the closes. Its first value, at the `period`th candle, is their simple average, as in TA-Lib.
 *
 * Keeps one number and the last `corrections` candles a series, as part of the checkpoint, and lets go of none: a crash changes no value, and a replay gives the same again, to the
 * last bit.
 * @throws ConfigurationError on options out of range
 */
export function ema(options: EmaOptions): OperatorFunction<CandleForIndicator, Indicator<IndicatorValue>> {
  return indicator(`ema:${wholePeriod(options.period, 'ema: period')}`, options, emaFold(options.period))
}

export function emaFold(period: number): IndicatorFold<Exponential, IndicatorValue> {
  return {
    initial: noExponential,
    lookback: period,
    next: (before, { close }) => withValue(before, priceOf(close), period),
    value: ({ count, value }) => (count < period ? null : { value }),
    state: plainState<Exponential>(),
  }
}
