import { z } from 'zod'
import { parseFixed8 } from '../exact/decimal.ts'
import { fixed8Schema } from '../exact/fixed8Schema.ts'
import { type KlineInterval, klineIntervalMs } from '../market/klineInterval.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { coinbaseTradeFrame } from '../sources/coinbase/coinbaseDialect.ts'
import { coinbaseProducts, productPath, tradesOfRows } from '../sources/coinbase/coinbaseRest.ts'
import type { ToldTrade } from '../sources/live/exchangeDialect.ts'
import type { Aggregate } from './aggregate.ts'
import type { ExchangeApi } from './exchangeApi.ts'
import { bodyOf, oddAnswer } from './exchangeFacts.ts'
import {
  type ExchangeHistory,
  type KlinePage,
  mostTrades,
  type TradePage,
  type TradesHistory,
} from './exchangeHistory.ts'
import type { TimeRange } from './klineStore.ts'
import type { RawKline } from './rawKline.ts'

const pageTrades = 1_000
const pageCandles = 300

/** In seconds, as the exchange asks for them. */
const granularities = {
  '1m': 60,
  '5m': 300,
  '15m': 900,
  '1h': 3_600,
  '6h': 21_600,
  '1d': 86_400,
} as const satisfies Partial<Record<KlineInterval, number>>

const count = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number)
const tradesSchema = z
  .array(
    z.object({
      trade_id: count,
      side: z.enum(['buy', 'sell']),
      size: z.string().regex(/^\d{1,18}(\.\d{1,18})?$/),
      price: z.string().regex(/^\d{1,18}(\.\d{1,18})?$/),
      time: z.iso.datetime({ offset: true }),
    }),
  )
  .max(pageTrades)
const decimal = z.string().max(60).transform(plainText).pipe(fixed8Schema)
/** Time in seconds, low, high, open, close, volume. */
const candlesSchema = z.array(z.tuple([count, decimal, decimal, decimal, decimal, decimal])).max(2 * pageCandles)
const timeSchema = z.object({ epoch: z.string().transform(Number).pipe(z.number().positive()) })

/** What Coinbase Exchange tells of its past, asked through an `ExchangeApi` that keeps its numbers as text. Its candles have prices and volume and nothing else, and its trades are looked for by time from id to id. */
export function coinbaseHistory(api: ExchangeApi): ExchangeHistory {
  const trades = new CoinbaseTrades(api)
  return {
    api,
    name: 'coinbase',
    intervals: Object.keys(granularities) as KlineInterval[],
    listing: async () => {
      const path = '/products'
      const read = coinbaseProducts.safeParse(bodyOf(path, await api.get(path, {})))
      if (!read.success) throw oddAnswer(path, read.error)
      return read.data
    },
    now: async () => {
      const path = '/time'
      const read = timeSchema.safeParse(bodyOf(path, await api.get(path, {})))
      if (!read.success) throw oddAnswer(path, read.error)
      return Math.floor(read.data.epoch * 1_000)
    },
    klines: (symbol, interval, range) => candlePages(api, symbol, interval, range),
    trades,
    aggregates: (symbol, from, to) => trades.aggregates(symbol, from, to),
  }
}

async function* candlePages(
  api: ExchangeApi,
  symbol: string,
  interval: KlineInterval,
  range: TimeRange,
): AsyncGenerator<KlinePage, void, undefined> {
  const seconds = (granularities as Partial<Record<KlineInterval, number>>)[interval]
  if (seconds === undefined) throw new ConfigurationError(`coinbase: no candles of ${interval}.`)
  const lengthMs = klineIntervalMs[interval]
  const path = productPath(symbol, 'candles')
  for (let from = range.from; from < range.to; ) {
    const to = Math.min(range.to, from + pageCandles * lengthMs)
    const query = {
      granularity: String(seconds),
      start: new Date(from).toISOString(),
      // Inclusive.
      end: new Date(to - lengthMs).toISOString(),
    }
    const read = candlesSchema.safeParse(bodyOf(path, await api.get(path, query)))
    if (!read.success) throw oddAnswer(path, read.error)
    const all = read.data.map((row) => candleOf(row, lengthMs))
    const klines = all.filter(({ openTime }) => openTime >= from && openTime < to)
    // What an answer does not hold would count as not there.
    if (all.length > 0 && klines.length === 0) {
      throw new ConfigurationError(
        `${path}: a candle of ${all[0]?.openTime} where those from ${from} to ${to} were asked for.`,
      )
    }
    const byTime = new Map(klines.map((kline) => [kline.openTime, kline]))
    yield { klines: [...byTime.values()].sort((one, other) => one.openTime - other.openTime), range: { from, to } }
    from = to
  }
}

function candleOf(
  [seconds, low, high, open, close, volume]: z.output<typeof candlesSchema>[number],
  lengthMs: number,
): RawKline {
  const openTime = seconds * 1_000
  return {
    ...{ openTime, open, high, low, close, volume, closeTime: openTime + lengthMs - 1 },
    ...{ quoteVolume: null, tradeCount: null, takerBuyVolume: null, takerBuyQuoteVolume: null },
  }
}

class CoinbaseTrades implements TradesHistory {
  readonly #api: ExchangeApi

  constructor(api: ExchangeApi) {
    this.#api = api
  }

  frame(symbol: string, trade: ToldTrade): Buffer {
    return coinbaseTradeFrame(symbol, trade)
  }

  /** By halves: ids grow with the time. */
  async firstId(symbol: string, from: number): Promise<number | null> {
    const newest = (await this.#before(symbol, null, 1)).at(-1)
    if (newest === undefined || newest.time < from) return null
    let before = -1
    let first = newest.id
    while (first - before > pageTrades) {
      const middle = Math.floor((before + first) / 2)
      const found = (await this.#before(symbol, middle + 1, 1)).at(-1)
      if (found !== undefined && found.time >= from) first = found.id
      else before = middle
    }
    const page = await this.#before(symbol, first + 1, pageTrades)
    return page.find(({ time }) => time >= from)?.id ?? first
  }

  async page(symbol: string, fromId: number, range: TimeRange): Promise<TradePage> {
    const next = fromId + pageTrades
    const rows = (await this.#before(symbol, next, pageTrades)).filter(({ id }) => id >= fromId)
    const trades = rows.filter(({ time }) => time >= range.from && time < range.to)
    if (rows.some(({ time }) => time >= range.to)) return { trades, nextId: null }
    const last = rows.at(-1)?.id ?? fromId - 1
    if (last + 1 >= next) return { trades, nextId: next }
    // It is the last page, or the exchange leaves ids out.
    const newest = (await this.#before(symbol, null, 1)).at(-1)?.id ?? last
    return { trades, nextId: newest <= last ? null : newest >= next ? next : last + 1 }
  }

  async aggregates(symbol: string, from: number, to: number): Promise<readonly Aggregate[] | null> {
    const newest = await this.#before(symbol, null, pageTrades)
    const isThere = (newest[0]?.time ?? Number.POSITIVE_INFINITY) < from
    if (isThere) return newest.filter(({ time }) => time >= from && time < to).map(aggregateOf)
    const found: Aggregate[] = []
    let next = await this.firstId(symbol, from)
    while (next !== null) {
      const page: TradePage = await this.page(symbol, next, { from, to })
      found.push(...page.trades.map(aggregateOf))
      if (found.length > mostTrades) return null
      next = page.nextId
    }
    return found
  }

  /** The newest trades before an id, oldest first; the newest of all where none is told. */
  async #before(symbol: string, id: number | null, limit: number): Promise<readonly ToldTrade[]> {
    const path = productPath(symbol, 'trades')
    const query = { ...(id === null ? {} : { after: String(id) }), limit: String(limit) }
    const read = tradesSchema.safeParse(bodyOf(path, await this.#api.get(path, query)))
    if (!read.success) throw oddAnswer(path, read.error)
    return tradesOfRows(read.data)
  }
}

function aggregateOf({ id, price, qty, isBuyerMaker }: ToldTrade): Aggregate {
  return { firstId: id, lastId: id, price: exact(price), quantity: exact(qty), isBuyerMaker }
}

function exact(text: string): bigint {
  const units = parseFixed8(text)
  if (units === null) throw new ConfigurationError(`coinbase: ${text} has more than eight places.`)
  return BigInt(units)
}

/** `0.00000001` of `1e-8`. */
function plainText(text: string): string {
  const parts = /^(\d+)(?:\.(\d+))?[eE]([+-]?\d{1,2})$/.exec(text)
  if (parts === null) return text
  const [, whole = '', fraction = '', exponent = '0'] = parts
  const point = whole.length + Number(exponent)
  const digits = `${whole}${fraction}`
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`
  const padded = digits.padEnd(point, '0')
  return padded.length === point ? padded : `${padded.slice(0, point)}.${padded.slice(point)}`
}
