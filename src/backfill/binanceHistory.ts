import { z } from 'zod'
import { fixed8Schema } from '../exact/fixed8Schema.ts'
import { klineIntervals } from '../market/klineInterval.ts'
import type { BinanceMarket } from '../sources/binance/endpoints.ts'
import { tradeFrame } from '../sources/binance/restTrades.ts'
import type { Aggregate } from './aggregate.ts'
import type { ExchangeApi } from './exchangeApi.ts'
import { apiPath, bodyOf, oddAnswer, readExchangeInfo, readServerTime } from './exchangeFacts.ts'
import { type ExchangeHistory, mostTrades } from './exchangeHistory.ts'
import { klinePages } from './klinePages.ts'
import { firstTradeId, tradePage } from './tradePages.ts'

/** What Binance tells of its past: spot with single trades, futures with aggregates alone. */
export function binanceHistory(api: ExchangeApi, market: BinanceMarket): ExchangeHistory {
  return {
    api,
    name: market,
    intervals: klineIntervals,
    listing: async () => {
      const { symbols, weightPerMinute } = await readExchangeInfo(api, market)
      if (weightPerMinute !== null) api.limitWeight(weightPerMinute)
      return symbols
    },
    now: () => readServerTime(api, market),
    klines: (symbol, interval, range) => klinePages(api, { market, symbol, interval }, range),
    trades:
      market === 'usdm'
        ? null
        : {
            firstId: (symbol, from) => firstTradeId(api, symbol, from),
            page: (symbol, fromId, range) => tradePage(api, symbol, fromId, range),
            frame: (symbol, trade) => tradeFrame(market, symbol, trade),
          },
    aggregates: (symbol, from, to) => aggregatesOf(api, market, symbol, from, to),
  }
}

const pageRows = 1_000

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

/** At a sixth of the weight of the single trades. Aggregates without trades, which the exchange has of old disturbances, are left out. */
async function aggregatesOf(
  api: ExchangeApi,
  market: BinanceMarket,
  symbol: string,
  from: number,
  to: number,
): Promise<readonly Aggregate[] | null> {
  const path = apiPath(market, 'aggTrades')
  const found: Aggregate[] = []
  let count = 0
  let query: Record<string, string> = { startTime: String(from), endTime: String(to - 1) }
  for (;;) {
    const body = bodyOf(path, await api.get(path, { symbol, limit: String(pageRows), ...query }))
    const parsed = aggregatesSchema.safeParse(body)
    if (!parsed.success) throw oddAnswer(path, parsed.error)
    const rows = [...parsed.data].sort((one, other) => one.a - other.a)
    for (const { p, q, f, l, T, m } of rows) {
      if (T < from || T >= to || f < 0) continue
      found.push({ firstId: f, lastId: l, price: BigInt(p), quantity: BigInt(q), isBuyerMaker: m })
      count += l - f + 1
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageRows || last.T >= to) return found
    if (count > mostTrades) return null
    query = { fromId: String(last.a + 1) }
  }
}
