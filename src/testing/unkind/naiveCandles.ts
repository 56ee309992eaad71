import type { Interval } from '../../market/interval.ts'

/** A trade as the generator meant it, before it was written as a frame. Price and quantity are counts of 1e-8. */
export interface TrueTrade {
  readonly symbol: string
  readonly tradeId: number
  readonly price: bigint
  readonly quantity: bigint
  readonly tradeTime: number
  readonly isBuyerMaker: boolean
}

/**
 * What a candle must be, member by member as in `Candle`: `openTime` in ms UTC, decimals as text.
 *
 * The prices `open`, `high`, `low`, `close` and `vwap` and the volumes `volume` and `takerBuyVolume` have 8 places, `quoteVolume` and `takerBuyQuoteVolume` 16.
 * `tradeCount` counts trades, whose ids go from `firstTradeId` to `lastTradeId`.
 */
export interface ExpectedCandle {
  readonly symbol: string
  readonly interval: Interval
  readonly openTime: number
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  readonly volume: string
  readonly quoteVolume: string
  readonly tradeCount: number
  readonly takerBuyVolume: string
  readonly takerBuyQuoteVolume: string
  readonly vwap: string
  readonly firstTradeId: number
  readonly lastTradeId: number
}

const lengthMs: Readonly<Record<Interval, number>> = {
  '1m': 60_000,
  '5m': 5 * 60_000,
  '15m': 15 * 60_000,
  '1h': 60 * 60_000,
  '4h': 4 * 60 * 60_000,
  '1d': 24 * 60 * 60_000,
}

/**
 * Candles by the definition and nothing else: sort, group, add up in BigInt. It shares no code with the operators, so
 * that an error in them is not repeated here.
 */
export function naiveCandles(trades: readonly TrueTrade[], intervals: readonly Interval[]): ExpectedCandle[] {
  const sorted = [...trades].sort((a, b) => a.tradeTime - b.tradeTime || a.tradeId - b.tradeId)
  return intervals.flatMap((interval) => {
    const groups = Map.groupBy(sorted, (trade) => {
      return `${trade.symbol} ${Math.floor(trade.tradeTime / lengthMs[interval]) * lengthMs[interval]}`
    })
    return [...groups.values()].map((group) => candleOf(group, interval))
  })
}

function candleOf(trades: readonly TrueTrade[], interval: Interval): ExpectedCandle {
  const first = trades[0] as TrueTrade
  const last = trades.at(-1) as TrueTrade
  const prices = trades.map((trade) => trade.price).sort((a, b) => Number(a - b))
  const bought = trades.filter((trade) => !trade.isBuyerMaker)
  const volume = sum(trades.map((trade) => trade.quantity))
  const quote = sum(trades.map((trade) => trade.price * trade.quantity))
  const ids = trades.map((trade) => trade.tradeId)
  return {
    symbol: first.symbol,
    interval,
    openTime: Math.floor(first.tradeTime / lengthMs[interval]) * lengthMs[interval],
    open: decimalText(first.price, 8),
    high: decimalText(prices.at(-1) ?? 0n, 8),
    low: decimalText(prices[0] ?? 0n, 8),
    close: decimalText(last.price, 8),
    volume: decimalText(volume, 8),
    quoteVolume: decimalText(quote, 16),
    tradeCount: trades.length,
    takerBuyVolume: decimalText(sum(bought.map((trade) => trade.quantity)), 8),
    takerBuyQuoteVolume: decimalText(sum(bought.map((trade) => trade.price * trade.quantity)), 16),
    vwap: decimalText(dividedHalfEven(quote, volume), 8),
    firstTradeId: Math.min(...ids),
    lastTradeId: Math.max(...ids),
  }
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n)
}

function dividedHalfEven(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  const twiceRest = (dividend % divisor) * 2n
  const isUp = twiceRest > divisor || (twiceRest === divisor && quotient % 2n === 1n)
  return isUp ? quotient + 1n : quotient
}

/** The count of 10^-places as a plain decimal. */
export function decimalText(count: bigint, places: number): string {
  const digits = count.toString().padStart(places + 1, '0')
  return `${digits.slice(0, -places)}.${digits.slice(-places)}`
}
