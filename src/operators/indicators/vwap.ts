import type { OperatorFunction } from 'rxjs'
import { addFixed8, type Fixed8, type Fixed16 } from '../../exact/decimal.ts'
import { vwap as priceByVolume } from '../../market/vwap.ts'
import { type Duration, durationMs } from '../../runtime/duration.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { loadFixed8, type SavedFixed8, saveFixed8 } from '../savedFixed8.ts'
import { type IndicatorFold, priceOf } from './fold.ts'
import type { CandleForIndicator, Indicator, IndicatorOptions, IndicatorValue } from './indicator.ts'
import { indicator } from './indicatorOperator.ts'

/** What `vwap` starts anew at. */
export interface VwapOptions extends IndicatorOptions {
  /** Starts anew at each multiple of this since 1970 in UTC (ms, or text such as `'1d'`); `'1d'` if left out. */
  readonly every?: Duration
}

interface VwapState {
  readonly start: number
  readonly volume: Fixed8
  readonly quoteVolume: Fixed16
}

/**
 * The volume-weighted average price since the start of the day (or of `every`): quote volume by volume, from exact sums of all trades, rounded once to
 * 1e-8. Before the first trade there is none.
 *
 * Keeps two sums and the last `corrections` candles a series, as part of the checkpoint, and lets go of none: a crash changes no value, and a replay gives the same again.
 * @throws ConfigurationError on options out of range
 */
export function vwap(options: VwapOptions = {}): OperatorFunction<CandleForIndicator, Indicator<IndicatorValue>> {
  const { every = '1d' } = options
  const everyMs = durationMs(every, 'vwap: every')
  if (!(Number.isSafeInteger(everyMs) && everyMs >= 1)) {
    throw new ConfigurationError(`vwap: every must be a whole number of ms from 1, got ${every}.`)
  }
  return indicator(`vwap:${every}`, options, vwapFold(everyMs))
}

export function vwapFold(everyMs: number): IndicatorFold<VwapState, IndicatorValue> {
  const startOf = (openTime: number) => Math.floor(openTime / everyMs) * everyMs
  return {
    initial: { start: Number.MIN_SAFE_INTEGER, volume: 0, quoteVolume: 0n },
    lookback: Number.MAX_SAFE_INTEGER,
    startsAnew: ({ start }, { openTime }) => startOf(openTime) !== start,
    next: (before, { openTime, volume, quoteVolume }) => {
      const start = startOf(openTime)
      if (start !== before.start) return { start, volume, quoteVolume }
      return { start, volume: addFixed8(before.volume, volume), quoteVolume: before.quoteVolume + quoteVolume }
    },
    value: ({ volume, quoteVolume }) => (volume === 0 ? null : { value: priceOf(priceByVolume(quoteVolume, volume)) }),
    state: {
      encode: ({ start, volume, quoteVolume }) => [start, saveFixed8(volume), String(quoteVolume)],
      decode: (saved) => {
        const [start, volume, quoteVolume] = saved as unknown as readonly [number, SavedFixed8, string]
        return { start, volume: loadFixed8(volume), quoteVolume: BigInt(quoteVolume) }
      },
    },
  }
}
