import type { OperatorFunction } from 'rxjs'
import { addFixed8, type Fixed8, subFixed8 } from '../../exact/decimal.ts'
import { loadFixed8, type SavedFixed8, saveFixed8 } from '../savedFixed8.ts'
import { type Bar, type IndicatorFold, priceOf } from './fold.ts'
import type { CandleForIndicator, Indicator, IndicatorOptions, IndicatorValue } from './indicator.ts'
import { indicator } from './indicatorOperator.ts'
import { wholePeriod } from './period.ts'
import { wilder } from './wilder.ts'

/** How many ranges `atr` weighs. */
export interface AtrOptions extends IndicatorOptions {
  /** How many true ranges, 1 to 1,000; 14 if left out. */
  readonly period?: number
}

interface AtrState {
  /** Null before the first candle. */
  readonly close: Fixed8 | null
  /** How many of the first ranges have come; `period` at most. */
  readonly count: number
  /** The sum of the first ranges, exact. */
  readonly ranges: Fixed8
  /** The mean, as a price, from the `period`th range on. */
  readonly mean: number
}

type SavedAtr = readonly [close: SavedFixed8 | null, count: number, ranges: SavedFixed8, mean: number]

/**
 * The average true range, as a price. A candle's true range goes from the lower of its low and the close before to the higher of its high and that close. The average starts as the
 * mean of the first `period` ranges and goes on as Wilder's; the first value is at candle `period + 1`.
 *
 * Keeps four numbers and the last `corrections` candles a series, as part of the checkpoint, and lets go of none: a crash changes no value, and a replay gives the same again, to
 * the last bit.
 * @throws ConfigurationError on options out of range
 */
export function atr(options: AtrOptions = {}): OperatorFunction<CandleForIndicator, Indicator<IndicatorValue>> {
  const { period = 14 } = options
  return indicator(`atr:${wholePeriod(period, 'atr: period')}`, options, atrFold(period))
}

export function atrFold(period: number): IndicatorFold<AtrState, IndicatorValue> {
  return {
    initial: { close: null, count: 0, ranges: 0, mean: 0 },
    lookback: period + 1,
    next: (before, bar) => {
      const { close } = bar
      if (before.close === null) return { ...before, close }
      const range = trueRange(bar, before.close)
      if (before.count === period) return { ...before, close, mean: wilder(before.mean, priceOf(range), period) }
      const ranges = addFixed8(before.ranges, range)
      const count = before.count + 1
      if (count < period) return { ...before, close, count, ranges }
      return { close, count, ranges: 0, mean: priceOf(ranges) / period }
    },
    value: ({ count, mean }) => (count < period ? null : { value: mean }),
    state: {
      encode: ({ close, count, ranges, mean }) => [
        close === null ? null : saveFixed8(close),
        count,
        saveFixed8(ranges),
        mean,
      ],
      decode: (saved) => {
        const [close, count, ranges, mean] = saved as unknown as SavedAtr
        return { close: close === null ? null : loadFixed8(close), count, ranges: loadFixed8(ranges), mean }
      },
    },
  }
}

function trueRange({ high, low }: Bar, before: Fixed8): Fixed8 {
  return subFixed8(high > before ? high : before, low < before ? low : before)
}
