import { type KlineInterval, klineIntervalMs } from '../market/klineInterval.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { BinanceMarket } from '../sources/binance/endpoints.ts'
import type { ExchangeApi } from './exchangeApi.ts'
import { apiPath, bodyOf } from './exchangeFacts.ts'
import type { KlinePage } from './exchangeHistory.ts'
import type { TimeRange } from './klineStore.ts'
import { type KlineSeries, type RawKline, rawKlineOf } from './rawKline.ts'

/** Most candles that one request gives on both markets. */
const pageRows = 1_000
/** A candle that closed just now may still be changed by trades that are being booked. */
const settledMs = 5_000

/**
 * The candles of a range, which must be closed by now, a page at a time. Rows may come in any order, and twice.
 * Throws as `ExchangeApi.get` does, and `ConfigurationError` for an answer that is no list of candles, or of others than were asked for.
 */
export async function* klinePages(
  api: ExchangeApi,
  series: KlineSeries & { readonly market: BinanceMarket },
  range: TimeRange,
): AsyncGenerator<KlinePage, void, undefined> {
  const path = apiPath(series.market, 'klines')
  let from = range.from
  while (from < range.to) {
    const body = bodyOf(
      path,
      await api.get(path, {
        symbol: series.symbol,
        interval: series.interval,
        startTime: String(from),
        endTime: String(range.to - 1),
        limit: String(pageRows),
      }),
    )
    if (!Array.isArray(body)) throw new ConfigurationError(`${path}: the answer is no list of candles.`)
    const klines = klinesOf(path, body, { from, to: range.to })
    const last = klines.at(-1)
    // A page that is not full is the last one: behind it the exchange has nothing.
    const to = body.length < pageRows || last === undefined ? range.to : Math.min(range.to, last.closeTime + 1)
    yield { klines, range: { from, to } }
    from = to
  }
}

function klinesOf(path: string, rows: readonly unknown[], range: TimeRange): readonly RawKline[] {
  const byOpenTime = new Map<number, RawKline>()
  for (const row of rows) {
    const kline = rawKlineOf(row)
    if (typeof kline === 'string') throw new ConfigurationError(`${path}: a candle cannot be read, ${kline}.`)
    if (kline.openTime < range.from || kline.openTime >= range.to) {
      // What an answer does not hold would count as not there.
      throw new ConfigurationError(
        `${path}: a candle of ${kline.openTime} where those from ${range.from} to ${range.to} were asked for.`,
      )
    }
    byOpenTime.set(kline.openTime, kline)
  }
  return [...byOpenTime.values()].sort((one, other) => one.openTime - other.openTime)
}

/** Up to which open time (ms UTC, exclusive) all candles are closed for good, when it is `now` at the exchange. */
export function closedThrough(interval: KlineInterval, now: number): number {
  const settled = now - settledMs
  if (interval === '1M') return Date.UTC(new Date(settled).getUTCFullYear(), new Date(settled).getUTCMonth(), 1)
  const lengthMs = klineIntervalMs[interval]
  // Three days begin where the exchange says: none of them is longer open than that.
  if (interval === '3d') return settled - lengthMs
  const first = interval === '1w' ? firstMonday : 0
  return first + Math.floor((settled - first) / lengthMs) * lengthMs
}

/** Weeks begin on Mondays; 1970 began on a Thursday. */
const firstMonday = Date.UTC(1970, 0, 5)
