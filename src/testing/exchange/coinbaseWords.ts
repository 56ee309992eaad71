import { z } from 'zod'
import type { ExchangeTrade, SymbolTrades } from './exchangeTrades.ts'
import type { ExchangeWords } from './exchangeWords.ts'
import { klinesOf, text8 } from './klines.ts'
import type { RestSource } from './restAnswers.ts'

const controlSchema = z.object({
  type: z.enum(['subscribe', 'unsubscribe']),
  channels: z.array(z.object({ name: z.string(), product_ids: z.array(z.string()) })).min(1),
})

/** The stream of the simulated exchange that a channel is. */
const streamOf: Readonly<Record<string, string>> = { matches: 'trade', heartbeat: 'ticker' }

/** Coinbase Exchange: bare frames with a type, times in ISO 8601 with microseconds, the maker's side, and REST whose pages go backwards from an id. */
export const coinbaseWords: ExchangeWords = {
  trade: (product, trade) => JSON.stringify({ type: 'match', ...matchOf(product, trade) }),
  newest: ({ symbol, known }, { now }) =>
    JSON.stringify({
      type: 'heartbeat',
      sequence: known.length,
      last_trade_id: known.at(-1)?.id ?? 0,
      product_id: symbol,
      time: isoOf(now),
    }),
  rest: (pathname, query, source) => ({ weight: 1, ...answerOf(pathname, query, source) }),
  goodbye: () => null,
  control: (text) => {
    const read = controlSchema.safeParse(parsedJson(text))
    if (!read.success) return errorText('Failed to subscribe', 'malformed message')
    const { type, channels } = read.data
    const odd = channels.find(({ name }) => streamOf[name] === undefined)
    if (odd !== undefined) return errorText('Failed to subscribe', `${odd.name} is not a valid channel`)
    return {
      isSubscribe: type === 'subscribe',
      streams: channels.flatMap(({ name, product_ids: ids }) =>
        ids.map((id) => `${id.toLowerCase()}@${streamOf[name]}`),
      ),
      reply: JSON.stringify({ type: 'subscriptions', channels }),
    }
  },
  welcome: (stream, symbols) => {
    if (!stream.endsWith('@trade')) return null
    const product = stream.slice(0, -'@trade'.length).toUpperCase()
    const newest = symbols.get(product)?.known.at(-1)
    return newest === undefined ? null : JSON.stringify({ type: 'last_match', ...matchOf(product, newest) })
  },
}

function matchOf(product: string, { id, price, quantity, time, isBuyerMaker }: ExchangeTrade) {
  return {
    trade_id: id,
    maker_order_id: `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`,
    side: isBuyerMaker ? 'buy' : 'sell',
    size: text8(quantity),
    price: text8(price),
    product_id: product,
    sequence: id * 10,
    time: isoOf(time),
  }
}

function answerOf(pathname: string, query: URLSearchParams, source: RestSource) {
  const { now, lagTrades, symbols } = source
  if (pathname === '/time') return { status: 200, body: { iso: new Date(now).toISOString(), epoch: now / 1_000 } }
  if (pathname === '/products') {
    const products = [...symbols.values()].map(({ symbol, isTrading }) => ({
      id: symbol,
      status: isTrading ? 'online' : 'delisted',
      trading_disabled: !isTrading,
    }))
    return { status: 200, body: products }
  }
  const [, product = '', what] = /^\/products\/([^/]+)\/(trades|candles)$/.exec(pathname) ?? []
  const trades = symbols.get(product)
  if (trades === undefined) return { status: 404, body: { message: 'NotFound' } }
  if (what === 'candles') return candlesOf(trades, query, source)
  const told = lagTrades === 0 ? trades.known : trades.known.slice(0, -lagTrades)
  const after = Number(query.get('after') ?? Number.POSITIVE_INFINITY)
  const limit = Math.min(1_000, Number(query.get('limit') ?? 1_000))
  const rows = told.filter(({ id }) => id < after).slice(-limit)
  return { status: 200, body: rows.toReversed().map((trade) => rowOf(product, trade)) }
}

const granularities: readonly string[] = ['60', '300', '900', '3600', '21600', '86400']
const mostCandles = 300

/** Newest first, none without a trade, and with numbers as the exchange writes them: not in quotes. */
function candlesOf(trades: SymbolTrades, query: URLSearchParams, { told }: RestSource) {
  const granularity = query.get('granularity') ?? '60'
  const lengthMs = Number(granularity) * 1_000
  const [start, end] = [Date.parse(query.get('start') ?? ''), Date.parse(query.get('end') ?? '')]
  if (!granularities.includes(granularity)) return { status: 400, body: { message: 'Unsupported granularity' } }
  if (Number.isNaN(start) || Number.isNaN(end)) return { status: 400, body: { message: 'invalid start or end' } }
  if ((end - start) / lengthMs >= mostCandles) {
    return { status: 400, body: { message: 'granularity too small for the requested time range' } }
  }
  const rows = klinesOf(trades.known, lengthMs)
    .filter(({ openTime, tradeCount }) => tradeCount > 0 && openTime >= start && openTime <= end)
    .map((kline) => told(trades.symbol, kline))
    .map(({ openTime, low, high, open, close, volume }) =>
      [openTime / 1_000, ...[low, high, open, close, volume].map(text8)].join(','),
    )
  return {
    status: 200,
    body: `[${rows
      .map((row) => `[${row}]`)
      .reverse()
      .join(',')}]`,
  }
}

function rowOf(product: string, trade: ExchangeTrade) {
  const { trade_id, side, size, price, time } = matchOf(product, trade)
  return { trade_id, side, size, price, time }
}

/** With microseconds, as the exchange writes them. */
function isoOf(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z')
}

function errorText(message: string, reason: string): string {
  return JSON.stringify({ type: 'error', message, reason })
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
