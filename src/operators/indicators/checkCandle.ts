import { isFixed8 } from '../../exact/decimal.ts'
import { intervalMs } from '../../market/interval.ts'
import type { CandleForIndicator } from './indicator.ts'

/** Throws `TypeError` on what cannot be reckoned with. */
export function checkCandle(candle: CandleForIndicator): void {
  const { symbol, interval, openTime, high, low, close, volume, quoteVolume } = candle
  const length = intervalMs[interval]
  if (length === undefined) throw new TypeError(`${symbol}: '${interval}' is no interval of a candle`)
  if (!Number.isSafeInteger(openTime) || openTime % length !== 0) {
    throw new TypeError(`the candle of ${symbol} at ${openTime}: it must open at a multiple of ${interval}`)
  }
  if (![high, low, close, volume].every(isFixed8) || typeof quoteVolume !== 'bigint') {
    throw new TypeError(
      `the candle of ${symbol} at ${openTime}: prices and volumes must be counts of 1e-8 (parseFixed8 makes them of text), quote volumes bigints of 1e-16`,
    )
  }
}
