import { type KlineInterval, klineIntervals } from '../market/klineInterval.ts'
import type { BinanceMarket } from '../sources/binance/endpoints.ts'

/** What an archive of the exchange says by its name, and by the folder that it lies in on the exchange's side. */
export interface ArchiveName {
  readonly symbol: string
  /** The interval of candles, or what else is in it, such as `trades`. */
  readonly content: { readonly interval: KlineInterval } | { readonly other: string }
  /** Null where only the name is known. */
  readonly market: BinanceMarket | null
}

/** Reads `BTCUSDT-1m-2024-08.zip` and `…/futures/um/daily/trades/BTCUSDT/BTCUSDT-trades-2024-08-08.zip`; null for any other name. */
export function archiveNameOf(pathOrUrl: string): ArchiveName | null {
  const path = pathOrUrl.replace(/[?#].*$/, '')
  const [, symbol, content] =
    /(?:^|[/\\])([A-Z0-9_]{1,40})-([A-Za-z0-9]{2,20})-\d{4}-\d{2}(?:-\d{2})?\.(?:zip|csv|csv\.gz)$/.exec(path) ?? []
  if (symbol === undefined || content === undefined) return null
  // The archives call a month 1mo, because file systems may not tell 1M from 1m.
  const interval = klineIntervals.find((one) => one === (content === '1mo' ? '1M' : content))
  return {
    symbol,
    content: interval === undefined ? { other: content } : { interval },
    market: path.includes('/spot/') ? 'spot' : path.includes('/futures/um/') ? 'usdm' : null,
  }
}

/** True for archives of markets that are not read here: coin-margined futures count contracts, options have other columns. */
export function isOfOtherMarket(pathOrUrl: string): boolean {
  return /\/(?:futures\/cm|option)\//.test(pathOrUrl)
}
