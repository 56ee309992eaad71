import type { ExchangeTrade, SymbolTrades } from './exchangeTrades.ts'
import { type Kline, klineIntervals, klineRow, klinesOf, quoteText, text8 } from './klines.ts'
import { bookAfter, levelTexts } from './orderBook.ts'
import { aggTradeRow, dayOf, tickerPayload } from './streamPayloads.ts'

/** What the REST side answers from. */
export interface RestSource {
  /** ms UTC by the exchange's clock. */
  readonly now: number
  /** ms UTC of the newest trade or tick, at which the last 24 hours end. */
  readonly marketTime: number
  /** 1 for ms, 1000 for µs. */
  readonly perMs: number
  readonly weightPerMinute: number
  /** True for the market-data host without a key, which does not serve `historicalTrades`. */
  readonly isDataOnly: boolean
  /** So many of the newest trades are not told yet. */
  readonly lagTrades: number
  readonly symbols: ReadonlyMap<string, SymbolTrades>
  /** A candle as it is told, which may be wrong on purpose. */
  readonly told: (symbol: string, kline: Kline) => Kline
}

/** An answer before it is written. */
export interface RestAnswer {
  readonly status: number
  readonly weight: number
  readonly body: unknown
}

type Handler = (query: URLSearchParams, source: RestSource) => Omit<RestAnswer, 'weight'>

const badSymbol = { status: 400, body: { code: -1121, msg: 'Invalid symbol.' } } as const

const handlers: Readonly<Record<string, readonly [weight: (query: URLSearchParams) => number, Handler]>> = {
  ping: [() => 1, () => ok({})],
  time: [() => 1, (_, { now, perMs }) => ok({ serverTime: now * perMs })],
  exchangeInfo: [() => 20, exchangeInfo],
  historicalTrades: [
    () => 25,
    (query, source) =>
      source.isDataOnly
        ? { status: 404, body: '' }
        : ofSymbol(query, source, (trades) => tradeRows(trades, query, source)),
  ],
  trades: [
    () => 25,
    (query, source) =>
      ofSymbol(query, source, (trades) =>
        told(trades, source)
          .slice(-limitOf(query))
          .map((one) => tradeRow(one, source.perMs)),
      ),
  ],
  aggTrades: [() => 4, (query, source) => ofSymbol(query, source, (trades) => aggTrades(trades, query, source))],
  klines: [() => 2, klines],
  uiKlines: [() => 2, klines],
  depth: [
    (query) => {
      const limit = Number(query.get('limit') ?? 100)
      return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1_000 ? 50 : 250
    },
    (query, source) =>
      ofSymbol(query, source, (trades) => {
        const limit = Number(query.get('limit') ?? 100)
        const book = bookAfter(trades, trades.all.length)
        return { lastUpdateId: book.id, bids: levelTexts(book.bids, limit), asks: levelTexts(book.asks, limit) }
      }),
  ],
  '24hr': [
    (query) => {
      const count = query.has('symbol') ? 1 : (asked(query)?.length ?? 101)
      return count <= 20 ? 2 : count <= 100 ? 40 : 80
    },
    (query, source) => {
      if (query.has('symbol')) return ofSymbol(query, source, (trades) => dayRow(trades, source))
      const names = asked(query) ?? [...source.symbols.keys()]
      const found = names.flatMap((name) => source.symbols.get(name) ?? [])
      return found.length < names.length ? badSymbol : ok(found.map((trades) => dayRow(trades, source)))
    },
  ],
  price: [
    () => 2,
    (query, source) =>
      ofSymbol(query, source, (trades) => ({ symbol: trades.symbol, price: text8(trades.last?.price ?? 0n) })),
  ],
  bookTicker: [
    () => 2,
    (query, source) =>
      ofSymbol(query, source, (trades) => {
        const book = bookAfter(trades, trades.all.length)
        const [[bidPrice, bidQty] = ['0', '0']] = levelTexts(book.bids, 1)
        const [[askPrice, askQty] = ['0', '0']] = levelTexts(book.asks, 1)
        return { symbol: trades.symbol, bidPrice, bidQty, askPrice, askQty }
      }),
  ],
}

/** The answer to a GET of a path such as `/api/v3/klines`. */
export function restAnswer(pathname: string, query: URLSearchParams, source: RestSource): RestAnswer {
  const name = pathname.slice(pathname.lastIndexOf('/') + 1)
  const found = Object.hasOwn(handlers, name) ? handlers[name] : undefined
  if (found === undefined || !/^\/(api\/v3|fapi\/v1)\//.test(pathname)) return { status: 404, weight: 1, body: '' }
  const [weight, handler] = found
  return { weight: weight(query), ...handler(query, source) }
}

function ok(body: unknown) {
  return { status: 200, body }
}

function ofSymbol(query: URLSearchParams, { symbols }: RestSource, rows: (trades: SymbolTrades) => unknown) {
  const trades = symbols.get(query.get('symbol') ?? '')
  return trades === undefined ? badSymbol : ok(rows(trades))
}

/** The symbols that a request names as a list, or null. */
function asked(query: URLSearchParams): readonly string[] | null {
  return query.has('symbols') ? JSON.parse(query.get('symbols') ?? '[]') : null
}

function limitOf(query: URLSearchParams): number {
  return Math.min(1_000, Math.max(1, Number(query.get('limit') ?? 500)))
}

function told(trades: SymbolTrades, { lagTrades }: RestSource): readonly ExchangeTrade[] {
  return lagTrades === 0 ? trades.known : trades.known.slice(0, -lagTrades)
}

function tradeRows(trades: SymbolTrades, query: URLSearchParams, source: RestSource): unknown {
  const fromId = query.get('fromId')
  const known = told(trades, source)
  const limit = limitOf(query)
  const rows = fromId === null ? known.slice(-limit) : known.filter(({ id }) => id >= Number(fromId)).slice(0, limit)
  return rows.map((one) => tradeRow(one, source.perMs))
}

function tradeRow({ id, price, quantity, time, isBuyerMaker }: ExchangeTrade, perMs: number) {
  return {
    id,
    price: text8(price),
    qty: text8(quantity),
    quoteQty: quoteText(price * quantity),
    time: time * perMs,
    isBuyerMaker,
    isBestMatch: true,
  }
}

function aggTrades(trades: SymbolTrades, query: URLSearchParams, source: RestSource): unknown {
  const orders = new Map<number, ExchangeTrade[]>()
  for (const trade of told(trades, source)) {
    const fills = orders.get(trade.orderId)
    if (fills === undefined) orders.set(trade.orderId, [trade])
    else fills.push(trade)
  }
  const from = Number(query.get('fromId') ?? 0)
  const { start, end } = rangeOf(query)
  const rows = [...orders.values()]
    .map((fills) => ({ row: aggTradeRow(fills, source.perMs), time: (fills[0] as ExchangeTrade).time }))
    .filter(({ row, time }) => row.a >= from && time >= start && time <= end)
    .map(({ row }) => row)
  const isFromTheStart = query.has('fromId') || query.has('startTime')
  return isFromTheStart ? rows.slice(0, limitOf(query)) : rows.slice(-limitOf(query))
}

/** Given in ms or in µs, which the size tells as the exchange itself does. */
function rangeOf(query: URLSearchParams): { readonly start: number; readonly end: number } {
  const ms = (name: string, missing: number) => {
    const given = query.get(name)
    if (given === null) return missing
    return Number(given) > 1e14 ? Math.floor(Number(given) / 1_000) : Number(given)
  }
  return { start: ms('startTime', 0), end: ms('endTime', Number.POSITIVE_INFINITY) }
}

function klines(query: URLSearchParams, source: RestSource) {
  const intervalMs = klineIntervals[query.get('interval') ?? '']
  if (intervalMs === undefined) return { status: 400, body: { code: -1120, msg: 'Invalid interval.' } }
  return ofSymbol(query, source, (trades) => {
    const { start, end } = rangeOf(query)
    const all = klinesOf(trades.all, intervalMs).filter(({ openTime }) => openTime >= start && openTime <= end)
    const limit = limitOf(query)
    const rows = query.has('startTime') ? all.slice(0, limit) : all.slice(-limit)
    return rows.map((kline) => klineRow(source.told(trades.symbol, kline), intervalMs, source.perMs))
  })
}

function dayRow(trades: SymbolTrades, { marketTime: now, perMs }: RestSource): unknown {
  const found = dayOf(trades, now)
  if (found === null) return { symbol: trades.symbol, firstId: -1, lastId: -1, count: 0, closeTime: now * perMs }
  const {
    c: lastPrice,
    o: openPrice,
    h: highPrice,
    l: lowPrice,
    v: volume,
    q: quoteVolume,
  } = JSON.parse(tickerPayload(trades, { now, perMs }) as string)
  const { first, last, day } = found
  const prices = { lastPrice, openPrice, highPrice, lowPrice, volume, quoteVolume }
  const times = { openTime: now * perMs - 86_400_000 * perMs, closeTime: now * perMs }
  return { symbol: trades.symbol, ...prices, ...times, firstId: first.id, lastId: last.id, count: day.tradeCount }
}

function exchangeInfo(query: URLSearchParams, { symbols, weightPerMinute, now, perMs }: RestSource) {
  const names = query.has('symbol') ? [query.get('symbol') as string] : asked(query)
  if (names?.some((symbol) => !symbols.has(symbol)) === true) return badSymbol
  const shown = names ?? [...symbols.keys()]
  return ok({
    timezone: 'UTC',
    serverTime: now * perMs,
    rateLimits: [
      { rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: weightPerMinute },
      { rateLimitType: 'RAW_REQUESTS', interval: 'MINUTE', intervalNum: 5, limit: 300_000 },
    ],
    symbols: shown.map((symbol) => {
      const quote = /(USDT|USDC|BTC|ETH|BNB|EUR)$/.exec(symbol)?.[0] ?? ''
      return {
        symbol,
        status: symbols.get(symbol)?.isTrading === true ? 'TRADING' : 'BREAK',
        baseAsset: symbol.slice(0, symbol.length - quote.length),
        quoteAsset: quote,
        permissionSets: [['SPOT']],
      }
    }),
  })
}
