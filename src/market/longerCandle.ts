import { addFixed8 } from '../exact/decimal.ts'
import type { Candle } from './candle.ts'
import { vwap } from './vwap.ts'

/**
 * The candle of shorter ones, exact.
 * @param parts one at least, in the order of their open times
 * @param place what the candle is called, when it begins, and how final it is
 */
export function longerCandle(
  parts: readonly Candle[],
  place: Pick<Candle, 'interval' | 'openTime' | 'isClosed' | 'revision'>,
): Candle {
  const sum = { ...(parts[0] as Candle) }
  for (let i = 1; i < parts.length; i++) {
    const part = parts[i] as Candle
    if (part.high > sum.high) sum.high = part.high
    if (part.low < sum.low) sum.low = part.low
    sum.close = part.close
    sum.volume = addFixed8(sum.volume, part.volume)
    sum.quoteVolume += part.quoteVolume
    sum.tradeCount += part.tradeCount
    sum.takerBuyVolume = addFixed8(sum.takerBuyVolume, part.takerBuyVolume)
    sum.takerBuyQuoteVolume += part.takerBuyQuoteVolume
    if (part.firstTradeId < sum.firstTradeId) sum.firstTradeId = part.firstTradeId
    if (part.lastTradeId > sum.lastTradeId) sum.lastTradeId = part.lastTradeId
  }
  return { ...sum, ...place, vwap: vwap(sum.quoteVolume, sum.volume) }
}
