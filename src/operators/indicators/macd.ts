import type { OperatorFunction } from 'rxjs'
import { ConfigurationError } from '../../runtime/errors.ts'
import { plainState } from '../../runtime/state/plainState.ts'
import { type Exponential, noExponential, withValue } from './exponential.ts'
import { type IndicatorFold, priceOf } from './fold.ts'
import type { CandleForIndicator, Indicator, IndicatorOptions } from './indicator.ts'
import { indicator } from './indicatorOperator.ts'
import { wholePeriod } from './period.ts'

/** The three averages of `macd`. */
export interface MacdOptions extends IndicatorOptions {
  /** How many candles the fast average has, 2 to 1,000; 12 if left out. */
  readonly fast?: number
  /** How many candles the slow average has, more than `fast`; 26 if left out. */
  readonly slow?: number
  /** How many values the signal line has, 1 to 1,000; 9 if left out. */
  readonly signal?: number
}

/** The lines of `macd`. All numbers are differences of prices in the quote asset. */
export interface MacdValue {
  /** The fast average less the slow one. */
  readonly macd: number
  /** The exponential average of `macd`. */
  readonly signal: number
  /** `macd` less `signal`. */
  readonly histogram: number
}

interface MacdState {
  /** How many candles have come before both averages began; no more than slow − fast. */
  readonly skipped: number
  readonly fast: Exponential
  readonly slow: Exponential
  readonly signal: Exponential
  readonly macd: number
}

/**
 * Moving average convergence and divergence. The fast average begins as the mean of the `fast` closes that end where the slow one has its first value, as in TA-Lib (an average of
 * its own would be off by far at first). The first value is at candle `slow + signal − 1`.
 *
 * Keeps five numbers and the last `corrections` candles a series, as part of the checkpoint, and lets go of none: a crash changes no value, and a replay gives the same again, to
 * the last bit.
 * @throws ConfigurationError on options out of range
 */
export function macd(options: MacdOptions = {}): OperatorFunction<CandleForIndicator, Indicator<MacdValue>> {
  const { fast = 12, slow = 26, signal = 9 } = options
  wholePeriod(fast, 'macd: fast', 2)
  wholePeriod(slow, 'macd: slow', 2)
  wholePeriod(signal, 'macd: signal')
  if (slow <= fast) throw new ConfigurationError(`macd: slow must be more than fast, got ${slow} and ${fast}.`)
  return indicator(`macd:${fast}:${slow}:${signal}`, options, macdFold(fast, slow, signal))
}

export function macdFold(fast: number, slow: number, signal: number): IndicatorFold<MacdState, MacdValue> {
  return {
    initial: { skipped: 0, fast: noExponential, slow: noExponential, signal: noExponential, macd: 0 },
    lookback: slow + signal - 1,
    next: (before, { close }) => {
      const price = priceOf(close)
      const nextSlow = withValue(before.slow, price, slow)
      if (before.skipped < slow - fast) return { ...before, skipped: before.skipped + 1, slow: nextSlow }
      const nextFast = withValue(before.fast, price, fast)
      if (nextSlow.count < slow) return { ...before, fast: nextFast, slow: nextSlow }
      const difference = nextFast.value - nextSlow.value
      return {
        ...before,
        fast: nextFast,
        slow: nextSlow,
        signal: withValue(before.signal, difference, signal),
        macd: difference,
      }
    },
    value: (state) =>
      state.signal.count < signal
        ? null
        : { macd: state.macd, signal: state.signal.value, histogram: state.macd - state.signal.value },
    state: plainState<MacdState>(),
  }
}
