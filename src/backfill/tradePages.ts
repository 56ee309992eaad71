import { z } from 'zod'
import { ConfigurationError } from '../runtime/errors.ts'
import type { RestTrade } from '../sources/binance/restTrades.ts'
import type { ExchangeApi } from './exchangeApi.ts'
import { bodyOf, oddAnswer } from './exchangeFacts.ts'
import type { TradePage } from './exchangeHistory.ts'
import type { TimeRange } from './klineStore.ts'

/** Most trades that one request gives. */
const pageRows = 1_000

const decimal = z.string().regex(/^\d{1,18}(\.\d{1,18})?$/)

const tradesSchema = z
  .array(
    z.object({
      id: z.int().min(0),
      price: decimal,
      qty: decimal,
      time: z.int().min(0),
      isBuyerMaker: z.boolean(),
      isBestMatch: z.boolean().optional(),
    }),
  )
  .max(pageRows)

const aggTradesSchema = z.array(z.object({ f: z.int().min(-1) })).max(pageRows)

/** The id of the first trade at or after a time, ms UTC; null where there is none yet. Throws as `ExchangeApi.get` does, and `ConfigurationError` on a refusal or an odd answer. */
export async function firstTradeId(api: ExchangeApi, symbol: string, from: number): Promise<number | null> {
  const path = '/api/v3/aggTrades'
  const body = bodyOf(path, await api.get(path, { symbol, startTime: String(from), limit: '1' }))
  const parsed = aggTradesSchema.safeParse(body)
  if (!parsed.success) throw oddAnswer(path, parsed.error)
  return parsed.data[0]?.f ?? null
}

/**
 * The trades of a range from an id on, oldest first, up to a thousand; rows may come in any order, and twice.
 * Throws as `ExchangeApi.get` does, and `ConfigurationError` on a refusal, an odd answer, or ids that the exchange leaves out.
 */
export async function tradePage(
  api: ExchangeApi,
  symbol: string,
  fromId: number,
  range: TimeRange,
): Promise<TradePage> {
  const path = '/api/v3/historicalTrades'
  const body = bodyOf(path, await api.get(path, { symbol, fromId: String(fromId), limit: String(pageRows) }))
  const parsed = tradesSchema.safeParse(body)
  if (!parsed.success) throw oddAnswer(path, parsed.error)
  const byId = new Map(parsed.data.map((row) => [row.id, row]))
  const rows = [...byId.values()].sort((one, other) => one.id - other.id)
  let nextId = fromId
  const trades: RestTrade[] = []
  for (const row of rows) {
    if (row.id !== nextId) {
      throw new ConfigurationError(
        `${path}: ${symbol} goes on with trade ${row.id} where ${nextId} was asked for. Is MILLRACE_BINANCE_REST_URL a host of the exchange?`,
      )
    }
    nextId++
    if (row.time >= range.to) return { trades, nextId: null }
    if (row.time >= range.from) trades.push(row)
  }
  return { trades, nextId: rows.length === 0 || parsed.data.length < pageRows ? null : nextId }
}
