import { formatFixed } from '../../exact/decimal.ts'
import type { ExchangeTrade } from './exchangeTrades.ts'

/** A candle of the simulated exchange, computed from its trades: what a pipeline's candle must be. */
export interface Kline {
  /** ms UTC, a multiple of the interval. */
  readonly openTime: number
  /** Counts of 1e-8. */
  readonly open: bigint
  /** Counts of 1e-8. */
  readonly high: bigint
  /** Counts of 1e-8. */
  readonly low: bigint
  /** Counts of 1e-8. */
  readonly close: bigint
  /** Base asset, counts of 1e-8. */
  readonly volume: bigint
  /** Quote asset, counts of 1e-16. */
  readonly quoteVolume: bigint
  /** How many trades it is made of. */
  readonly tradeCount: number
  /** Base asset that takers bought, counts of 1e-8. */
  readonly takerBuyVolume: bigint
  /** Quote asset that takers bought with, counts of 1e-16. */
  readonly takerBuyQuoteVolume: bigint
  /** From 0; -1 for a candle without a trade. */
  readonly firstTradeId: number
  /** From 0; -1 for a candle without a trade. */
  readonly lastTradeId: number
}

/** Length of the intervals that are served, in ms. Longer ones follow the calendar, which is left out. */
export const klineIntervals: Readonly<Record<string, number>> = {
  '1s': 1_000,
  '1m': 60_000,
  '3m': 180_000,
  '5m': 300_000,
  '15m': 900_000,
  '30m': 1_800_000,
  '1h': 3_600_000,
  '2h': 7_200_000,
  '4h': 14_400_000,
  '6h': 21_600_000,
  '8h': 28_800_000,
  '12h': 43_200_000,
  '1d': 86_400_000,
}

/** Candles by open time, oldest first; intervals without a trade between others are flat candles of the close before, as the exchange has them. */
export function klinesOf(trades: readonly ExchangeTrade[], intervalMs: number): readonly Kline[] {
  const klines: Kline[] = []
  for (const group of groupsOf(trades, intervalMs)) {
    const openTime = Math.floor((group[0] as ExchangeTrade).time / intervalMs) * intervalMs
    for (let before = klines.at(-1); before !== undefined; before = klines.at(-1)) {
      if (before.openTime + intervalMs >= openTime) break
      klines.push(flatKline(before.openTime + intervalMs, before.close))
    }
    klines.push(klineOf(openTime, group))
  }
  return klines
}

/** By interval; a trade that is told late with an older time still counts for its own. */
function groupsOf(trades: readonly ExchangeTrade[], intervalMs: number): readonly (readonly ExchangeTrade[])[] {
  const groups = new Map<number, ExchangeTrade[]>()
  for (const trade of trades) {
    const ordinal = Math.floor(trade.time / intervalMs)
    const group = groups.get(ordinal)
    if (group === undefined) groups.set(ordinal, [trade])
    else group.push(trade)
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group)
}

/** One candle of these trades, whatever their times. */
export function klineOf(openTime: number, unordered: readonly ExchangeTrade[]): Kline {
  const trades = [...unordered].sort((a, b) => a.time - b.time || a.epoch - b.epoch || a.id - b.id)
  const prices = trades.map(({ price }) => price)
  const bought = trades.filter(({ isBuyerMaker }) => !isBuyerMaker)
  return {
    openTime,
    open: prices[0] as bigint,
    high: prices.reduce(greater),
    low: prices.reduce(smaller),
    close: prices.at(-1) as bigint,
    volume: sum(trades, ({ quantity }) => quantity),
    quoteVolume: sum(trades, ({ price, quantity }) => price * quantity),
    tradeCount: trades.length,
    takerBuyVolume: sum(bought, ({ quantity }) => quantity),
    takerBuyQuoteVolume: sum(bought, ({ price, quantity }) => price * quantity),
    firstTradeId: Math.min(...trades.map(({ id }) => id)),
    lastTradeId: Math.max(...trades.map(({ id }) => id)),
  }
}

// Math.max takes no bigints.
export function greater(a: bigint, b: bigint): bigint {
  if (a > b) return a
  return b
}

export function smaller(a: bigint, b: bigint): bigint {
  if (a < b) return a
  return b
}

function sum(trades: readonly ExchangeTrade[], of: (trade: ExchangeTrade) => bigint): bigint {
  return trades.reduce((total, trade) => total + of(trade), 0n)
}

/** Of an interval without a trade. */
export function flatKline(openTime: number, price: bigint): Kline {
  return {
    openTime,
    open: price,
    high: price,
    low: price,
    close: price,
    volume: 0n,
    quoteVolume: 0n,
    tradeCount: 0,
    takerBuyVolume: 0n,
    takerBuyQuoteVolume: 0n,
    firstTradeId: -1,
    lastTradeId: -1,
  }
}

/** The row of twelve that REST gives. */
export function klineRow(kline: Kline, intervalMs: number, perMs: number): readonly (string | number)[] {
  return [
    kline.openTime * perMs,
    text8(kline.open),
    text8(kline.high),
    text8(kline.low),
    text8(kline.close),
    text8(kline.volume),
    (kline.openTime + intervalMs) * perMs - 1,
    quoteText(kline.quoteVolume),
    kline.tradeCount,
    text8(kline.takerBuyVolume),
    quoteText(kline.takerBuyQuoteVolume),
    '0',
  ]
}

/** A count of 1e-8 as the exchange writes it. */
export function text8(count: bigint): string {
  return formatFixed(count, 8, 8)
}

/** A count of 1e-16 as the exchange writes it, with eight places. */
export function quoteText(count: bigint): string {
  return formatFixed(count, 16, 8)
}
