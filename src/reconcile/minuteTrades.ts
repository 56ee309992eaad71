import { z } from 'zod'
import type { ExchangeApi } from '../backfill/exchangeApi.ts'
import { apiPath, bodyOf, oddAnswer } from '../backfill/exchangeFacts.ts'
import { tradePage } from '../backfill/tradePages.ts'
import { fixed8Schema } from '../exact/fixed8Schema.ts'
import type { BinanceMarket } from '../sources/binance/endpoints.ts'
import type { RestTrade } from '../sources/binance/restTrades.ts'
import type { Aggregate } from './minuteCandle.ts'

const pageRows = 1_000
/** A minute with more is beyond what a person wants fetched again without being asked. */
export const mostTrades = 100_000

const aggregatesSchema = z
  .array(
    z.object({
      a: z.int().min(0),
      p: fixed8Schema,
      q: fixed8Schema,
      f: z.int().min(-1),
      l: z.int().min(-1),
      T: z.int().min(0),
      m: z.boolean(),
    }),
  )
  .max(pageRows)

/**
 * All trades of a time `[from, to)`, ms UTC, as aggregates, oldest first: a sixth of the weight of the single trades, and a candle of them is exact. Aggregates without trades, which the exchange has of old disturbances, are left out.
 * Null where there are more than 100,000. Throws as `ExchangeApi.get` does, and `ConfigurationError` on a refusal or an odd answer.
 */
export async function aggregatesOf(
  api: ExchangeApi,
  market: BinanceMarket,
  symbol: string,
  from: number,
  to: number,
): Promise<readonly Aggregate[] | null> {
  const path = apiPath(market, 'aggTrades')
  const found: Aggregate[] = []
  let query: Record<string, string> = { startTime: String(from), endTime: String(to - 1) }
  for (;;) {
    const body = bodyOf(path, await api.get(path, { symbol, limit: String(pageRows), ...query }))
    const parsed = aggregatesSchema.safeParse(body)
    if (!parsed.success) throw oddAnswer(path, parsed.error)
    const rows = [...parsed.data].sort((one, other) => one.a - other.a)
    for (const { p, q, f, l, T, m } of rows) {
      if (T < from || T >= to || f < 0) continue
      found.push({ firstId: f, lastId: l, price: BigInt(p), quantity: BigInt(q), isBuyerMaker: m })
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageRows || last.T >= to) return found
    if (found.reduce((sum, { firstId, lastId }) => sum + lastId - firstId + 1, 0) > mostTrades) return null
    query = { fromId: String(last.a + 1) }
  }
}

/** The single trades from one id to another, both inclusive, oldest first. Spot alone gives them without a key. Throws as `tradePage` does. */
export async function tradesBetween(
  api: ExchangeApi,
  symbol: string,
  firstId: number,
  lastId: number,
): Promise<readonly RestTrade[]> {
  const trades: RestTrade[] = []
  let next: number | null = firstId
  while (next !== null && next <= lastId) {
    const page = await tradePage(api, symbol, next, { from: 0, to: Number.POSITIVE_INFINITY })
    trades.push(...page.trades.filter(({ id }) => id <= lastId))
    next = page.nextId
  }
  return trades
}
