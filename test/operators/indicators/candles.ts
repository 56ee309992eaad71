import { formatFixed, toFixed8 } from '../../../src/exact/decimal.ts'
import type { CandleForIndicator } from '../../../src/operators/indicators/indicator.ts'

/** How the price of a made-up symbol moves. */
export interface Walk {
  readonly seed: number
  readonly count: number
  /** Counts of 1e-8. */
  readonly price: number
  /** The largest step, counts of 1e-8. */
  readonly step: number
  /** How many of a hundred minutes the price stands still in. */
  readonly stillPercent: number
}

/** Minutes without a gap, as a seeded walk; a price never falls to zero. */
export function walkOf({ seed, count, price, step, stillPercent }: Walk): CandleForIndicator[] {
  const random = randomOf(seed)
  let close = price
  return Array.from({ length: count }, (_, minute) => {
    const open = close
    if (random() * 100 >= stillPercent) close = Math.max(1, close + Math.round((random() * 2 - 1) * step))
    const spread = close === open ? 0 : Math.round(random() * step)
    return candle(minute, {
      high: toFixed8(Math.max(open, close) + spread),
      low: toFixed8(Math.max(1, Math.min(open, close) - spread)),
      close: toFixed8(close),
    })
  })
}

/** The 1m candle that opens at this minute. */
export function candle(minute: number, differing: Partial<CandleForIndicator> = {}): CandleForIndicator {
  const close = differing.close ?? toFixed8(100_000_000)
  const volume = differing.volume ?? toFixed8(200_000_000)
  return {
    market: 'spot',
    symbol: 'A',
    interval: '1m',
    openTime: minute * 60_000,
    high: close,
    low: close,
    close,
    volume,
    quoteVolume: BigInt(close) * BigInt(volume),
    isClosed: true,
    revision: 1,
    ...differing,
  }
}

/** The nearest double of a price. */
export const asDouble = (units: CandleForIndicator['close']) => Number(formatFixed(units, 8, 8))

function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
