import type { ExchangeTrade, SymbolTrades } from './exchangeTrades.ts'
import {
  flatKline,
  greater,
  type Kline,
  klineIntervals,
  klineOf,
  klinesOf,
  quoteText,
  smaller,
  text8,
} from './klines.ts'
import { bookAfter, bookChange, levelTexts } from './orderBook.ts'

/** Which time a payload tells, and in which unit. */
export interface PayloadTime {
  /** ms UTC of the exchange now. */
  readonly now: number
  /** 1 for ms, 1000 for µs. */
  readonly perMs: number
}

const dayMs = 86_400_000

export function tradePayload(symbol: string, trade: ExchangeTrade, { now, perMs }: PayloadTime): string {
  const { id, price, quantity, time, isBuyerMaker } = trade
  return `{"e":"trade","E":${now * perMs},"s":${JSON.stringify(symbol)},"t":${id},"p":"${text8(price)}","q":"${text8(quantity)}","T":${time * perMs},"m":${isBuyerMaker},"M":true}`
}

/** @param fills of one taker order, in order */
export function aggTradePayload(symbol: string, fills: readonly ExchangeTrade[], { now, perMs }: PayloadTime): string {
  const row = aggTradeRow(fills, perMs)
  return JSON.stringify({ e: 'aggTrade', E: now * perMs, s: symbol, ...row })
}

/** What stream and REST tell of a taker order alike. */
export function aggTradeRow(fills: readonly ExchangeTrade[], perMs: number) {
  const first = fills[0] as ExchangeTrade
  return {
    a: first.orderId,
    p: text8(first.price),
    q: text8(fills.reduce((total, { quantity }) => total + quantity, 0n)),
    f: first.id,
    l: (fills.at(-1) as ExchangeTrade).id,
    T: first.time * perMs,
    m: first.isBuyerMaker,
    M: true,
  }
}

/** Of the interval that `now` falls in, or of the one before when `isClosed`. Null before the first trade. */
export function klinePayload(
  trades: SymbolTrades,
  interval: string,
  isClosed: boolean,
  { now, perMs }: PayloadTime,
): string | null {
  const intervalMs = klineIntervals[interval]
  if (intervalMs === undefined) return null
  const openTime = (Math.floor(now / intervalMs) - (isClosed ? 1 : 0)) * intervalMs
  const [kline] = klinesOf(trades.between(openTime, openTime + intervalMs), intervalMs)
  const before = kline === undefined ? trades.lastBefore(openTime) : undefined
  const shown: Kline | undefined = kline ?? (before === undefined ? undefined : flatKline(openTime, before.price))
  if (shown === undefined) return null
  return JSON.stringify({
    e: 'kline',
    E: now * perMs,
    s: trades.symbol,
    k: {
      t: openTime * perMs,
      T: (openTime + intervalMs) * perMs - 1,
      s: trades.symbol,
      i: interval,
      f: shown.firstTradeId,
      L: shown.lastTradeId,
      o: text8(shown.open),
      c: text8(shown.close),
      h: text8(shown.high),
      l: text8(shown.low),
      v: text8(shown.volume),
      n: shown.tradeCount,
      x: isClosed,
      q: quoteText(shown.quoteVolume),
      V: text8(shown.takerBuyVolume),
      Q: text8(shown.takerBuyQuoteVolume),
      B: '0',
    },
  })
}

/** The figures of the last 24 hours; of one without a trade the exchange says nothing, nor do we. */
export function dayOf(
  trades: SymbolTrades,
  now: number,
): { first: ExchangeTrade; last: ExchangeTrade; day: Kline } | null {
  const known = knownDays.get(trades)
  if (known !== undefined && known.first.time > now - dayMs) {
    const more = trades.all.slice(known.count)
    const isLater = more.every(
      ({ time, epoch }) => time >= known.last.time && time <= now && epoch === known.last.epoch,
    )
    if (isLater) {
      if (more.length > 0) knownDays.set(trades, longer(known, more))
      return knownDays.get(trades) ?? null
    }
  }
  const inside = trades.known.filter(({ time }) => time > now - dayMs && time <= now)
  const [first, last] = [inside[0], inside.at(-1)]
  if (first === undefined || last === undefined) return null
  const found = { first, last, day: klineOf(0, inside), count: trades.all.length }
  if (last === trades.last) knownDays.set(trades, found)
  return found
}

interface KnownDay {
  readonly first: ExchangeTrade
  readonly last: ExchangeTrade
  readonly day: Kline
  /** How many trades of the symbol there were. */
  readonly count: number
}

/** A second later the day is nearly the same. */
const knownDays = new WeakMap<SymbolTrades, KnownDay>()

function longer({ first, day, count }: KnownDay, more: readonly ExchangeTrade[]): KnownDay {
  const added = klineOf(0, more)
  return {
    first,
    last: more.at(-1) as ExchangeTrade,
    count: count + more.length,
    day: {
      ...day,
      high: greater(day.high, added.high),
      low: smaller(day.low, added.low),
      close: added.close,
      volume: day.volume + added.volume,
      quoteVolume: day.quoteVolume + added.quoteVolume,
      tradeCount: day.tradeCount + added.tradeCount,
      takerBuyVolume: day.takerBuyVolume + added.takerBuyVolume,
      takerBuyQuoteVolume: day.takerBuyQuoteVolume + added.takerBuyQuoteVolume,
      lastTradeId: added.lastTradeId,
    },
  }
}

export function tickerPayload(trades: SymbolTrades, { now, perMs }: PayloadTime): string | null {
  const found = dayOf(trades, now)
  if (found === null) return null
  const { first, last, day } = found
  const change = day.close - day.open
  const book = bookAfter(trades, trades.all.length)
  const [bid, ask] = [book.bids[0], book.asks[0]]
  return JSON.stringify({
    e: '24hrTicker',
    E: now * perMs,
    s: trades.symbol,
    p: text8(change),
    P: percentText(change, day.open),
    w: text8(day.volume === 0n ? 0n : day.quoteVolume / day.volume),
    x: text8(day.open),
    c: text8(day.close),
    Q: text8(last.quantity),
    b: text8(bid?.[0] ?? 0n),
    B: text8(bid?.[1] ?? 0n),
    a: text8(ask?.[0] ?? 0n),
    A: text8(ask?.[1] ?? 0n),
    o: text8(day.open),
    h: text8(day.high),
    l: text8(day.low),
    v: text8(day.volume),
    q: quoteText(day.quoteVolume),
    O: (now - dayMs) * perMs,
    C: now * perMs,
    F: first.id,
    L: last.id,
    n: day.tradeCount,
  })
}

export function miniTickerPayload(trades: SymbolTrades, { now, perMs }: PayloadTime): string | null {
  const found = dayOf(trades, now)
  if (found === null) return null
  const { day } = found
  const prices = { c: text8(day.close), o: text8(day.open), h: text8(day.high), l: text8(day.low) }
  const sums = { v: text8(day.volume), q: quoteText(day.quoteVolume) }
  return JSON.stringify({ e: '24hrMiniTicker', E: now * perMs, s: trades.symbol, ...prices, ...sums })
}

function percentText(change: bigint, open: bigint): string {
  return text8(open === 0n ? 0n : (change * 10_000_000_000n) / open).slice(0, -5)
}

export function bookTickerPayload(trades: SymbolTrades): string {
  const book = bookAfter(trades, trades.all.length)
  const [[b, B] = ['0', '0']] = levelTexts(book.bids, 1)
  const [[a, A] = ['0', '0']] = levelTexts(book.asks, 1)
  return JSON.stringify({ u: book.id, s: trades.symbol, b, B, a, A })
}

export function partialDepthPayload(trades: SymbolTrades, limit: number): string {
  const book = bookAfter(trades, trades.all.length)
  return JSON.stringify({
    lastUpdateId: book.id,
    bids: levelTexts(book.bids, limit),
    asks: levelTexts(book.asks, limit),
  })
}

/** What the newest trade changed in the book. */
export function depthPayload(trades: SymbolTrades, { now, perMs }: PayloadTime): string {
  const id = trades.all.length
  const { bids, asks } = bookChange(trades, id)
  const sides = { b: levelTexts(bids, bids.length), a: levelTexts(asks, asks.length) }
  return JSON.stringify({ e: 'depthUpdate', E: now * perMs, s: trades.symbol, U: id, u: id, ...sides })
}
