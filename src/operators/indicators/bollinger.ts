import type { OperatorFunction } from 'rxjs'
import { ConfigurationError } from '../../runtime/errors.ts'
import { type Closes, meanOf } from './closes.ts'
import type { IndicatorFold } from './fold.ts'
import type { CandleForIndicator, Indicator, IndicatorOptions } from './indicator.ts'
import { indicator } from './indicatorOperator.ts'
import { wholePeriod } from './period.ts'
import { smaFold } from './sma.ts'

/** What `bollinger` puts its bands around, and how far away. */
export interface BollingerOptions extends IndicatorOptions {
  /** How many candles, 2 to 1,000; 20 if left out. */
  readonly period?: number
  /** How many standard deviations a band is away from the middle, above 0 up to 100; 2 if left out. */
  readonly deviations?: number
}

/** The three lines of `bollinger`. All numbers are prices in the quote asset. */
export interface BollingerValue {
  /** The upper band. */
  readonly upper: number
  /** The simple moving average. */
  readonly middle: number
  /** The lower band. */
  readonly lower: number
}

/**
 * Bollinger bands: the simple moving average, and the bands `deviations` standard deviations (of the population) above and below it. Variance and mean come from exact sums of
 * whole numbers, each converted once, so closes that hardly differ lose no digit. The first value is at the `period`th candle.
 *
 * Keeps `period` closes and the last `corrections` candles a series, as part of the checkpoint, and lets go of none: a crash changes no value, and a replay gives the same again.
 * @throws ConfigurationError on options out of range
 */
export function bollinger(
  options: BollingerOptions = {},
): OperatorFunction<CandleForIndicator, Indicator<BollingerValue>> {
  const { period = 20, deviations = 2 } = options
  wholePeriod(period, 'bollinger: period', 2)
  if (!(deviations > 0 && deviations <= 100)) {
    throw new ConfigurationError(`bollinger: deviations must be above 0 and at most 100, got ${deviations}.`)
  }
  return indicator(`bollinger:${period}:${deviations}`, options, bollingerFold(period, deviations))
}

export function bollingerFold(period: number, deviations: number): IndicatorFold<Closes, BollingerValue> {
  const mean = smaFold(period)
  return {
    ...mean,
    value: (kept) => {
      if (kept.closes.length < period) return null
      const middle = meanOf(kept)
      const distance = deviations * deviationOf(kept)
      return { upper: middle + distance, middle, lower: middle - distance }
    },
  }
}

/** sqrt(n Σx² − (Σx)²) / n, of whole numbers until the root. */
function deviationOf({ closes, sum }: Closes): number {
  const count = BigInt(closes.length)
  let squares = 0n
  for (const close of closes) squares += BigInt(close) * BigInt(close)
  return Math.sqrt(Number(count * squares - BigInt(sum) * BigInt(sum))) / (closes.length * 1e8)
}
