import type { OperatorFunction } from 'rxjs'
import { addFixed8, type Fixed8, subFixed8 } from '../../exact/decimal.ts'
import { loadFixed8, type SavedFixed8, saveFixed8 } from '../savedFixed8.ts'
import { type IndicatorFold, priceOf } from './fold.ts'
import type { CandleForIndicator, Indicator, IndicatorOptions, IndicatorValue } from './indicator.ts'
import { indicator } from './indicatorOperator.ts'
import { wholePeriod } from './period.ts'
import { wilder } from './wilder.ts'

/** How many changes `rsi` weighs. */
export interface RsiOptions extends IndicatorOptions {
  /** How many changes from close to close, 2 to 1,000; 14 if left out. */
  readonly period?: number
}

interface RsiState {
  /** Null before the first candle. */
  readonly close: Fixed8 | null
  /** How many of the first changes have come; `period` at most. */
  readonly count: number
  /** The sum of the first gains and losses, exact. */
  readonly gains: Fixed8
  readonly losses: Fixed8
  /** Means, as prices, from the `period`th change on. */
  readonly gain: number
  readonly loss: number
}

type SavedRsi = readonly [
  close: SavedFixed8 | null,
  count: number,
  gains: SavedFixed8,
  losses: SavedFixed8,
  gain: number,
  loss: number,
]

/** Below this the two means together are taken for nothing, in units of the price, as TA-Lib does (`TA_EPSILON`). */
const nothing = 1e-14

/**
 * The relative strength index, 0 to 100: the mean gain as a part of mean gain and mean loss. The means start as those of the first `period` changes and go on as Wilder's; the first
 * value is at candle `period + 1`. Where the price has not changed it is 0, as in TA-Lib.
 *
 * Keeps six numbers and the last `corrections` candles a series, as part of the checkpoint, and lets go of none: a crash changes no value, and a replay gives the same again, to the
 * last bit.
 * @throws ConfigurationError on options out of range
 */
export function rsi(options: RsiOptions = {}): OperatorFunction<CandleForIndicator, Indicator<IndicatorValue>> {
  const { period = 14 } = options
  return indicator(`rsi:${wholePeriod(period, 'rsi: period', 2)}`, options, rsiFold(period))
}

export function rsiFold(period: number): IndicatorFold<RsiState, IndicatorValue> {
  return {
    initial: { close: null, count: 0, gains: 0, losses: 0, gain: 0, loss: 0 },
    lookback: period + 1,
    next: (before, { close }) => {
      if (before.close === null) return { ...before, close }
      const change = subFixed8(close, before.close)
      const [up, down]: readonly [Fixed8, Fixed8] = change > 0 ? [change, 0] : [0, subFixed8(0, change)]
      if (before.count === period) {
        return {
          ...before,
          close,
          gain: wilder(before.gain, priceOf(up), period),
          loss: wilder(before.loss, priceOf(down), period),
        }
      }
      const gains = addFixed8(before.gains, up)
      const losses = addFixed8(before.losses, down)
      const count = before.count + 1
      if (count < period) return { ...before, close, count, gains, losses }
      return { close, count, gains: 0, losses: 0, gain: priceOf(gains) / period, loss: priceOf(losses) / period }
    },
    value: ({ count, gain, loss }) => {
      if (count < period) return null
      const both = gain + loss
      return { value: both < nothing ? 0 : 100 * (gain / both) }
    },
    state: {
      encode: ({ close, count, gains, losses, gain, loss }) => [
        close === null ? null : saveFixed8(close),
        count,
        saveFixed8(gains),
        saveFixed8(losses),
        gain,
        loss,
      ],
      decode: (saved) => {
        const [close, count, gains, losses, gain, loss] = saved as unknown as SavedRsi
        return {
          close: close === null ? null : loadFixed8(close),
          count,
          gains: loadFixed8(gains),
          losses: loadFixed8(losses),
          gain,
          loss,
        }
      },
    },
  }
}
