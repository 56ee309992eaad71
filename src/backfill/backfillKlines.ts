import { klineIntervalMs } from '../market/klineInterval.ts'
import type { ExchangeHistory } from './exchangeHistory.ts'
import { type KlineStore, nothingWritten, sumOf, type TimeRange, type WrittenKlines } from './klineStore.ts'
import type { KlineSeries } from './rawKline.ts'

/** One series, and which of its open times. */
export interface KlineJob {
  readonly series: KlineSeries
  readonly range: TimeRange
}

/** How far a backfill is. */
export interface BackfillProgress {
  readonly series: KlineSeries
  /** Candles that fit into what was covered so far, of all jobs. */
  readonly done: number
  /** Candles that fit into what was missing at the start, of all jobs; the exchange may have fewer. */
  readonly total: number
  readonly written: WrittenKlines
}

export interface BackfillKlinesOptions {
  readonly history: ExchangeHistory
  readonly store: KlineStore
  readonly jobs: readonly KlineJob[]
  /** Also what was fetched before, for candles that the exchange has corrected. */
  readonly isAgain: boolean
  readonly onProgress: (progress: BackfillProgress) => void
}

/**
 * Fetches what is missing of each job's candles and stores it, page by page: each page and what it covers in one transaction, so that a backfill that is stopped anywhere goes on there.
 *
 * Keeps one page. Throws as `ExchangeHistory` does.
 */
export async function backfillKlines(options: BackfillKlinesOptions): Promise<WrittenKlines> {
  const { history, store, jobs, isAgain, onProgress } = options
  const missing: { readonly job: KlineJob; readonly range: TimeRange }[] = []
  for (const job of jobs) {
    const ranges = isAgain ? [job.range] : await store.missing(job.series, job.range)
    missing.push(...ranges.map((range) => ({ job, range })))
  }
  const total = missing.reduce((sum, { job, range }) => sum + countOf(job, range), 0)
  let done = 0
  let written = nothingWritten
  for (const { job, range } of missing) {
    onProgress({ series: job.series, done, total, written })
    for await (const page of history.klines(job.series.symbol, job.series.interval, range)) {
      written = sumOf(written, await store.addPage(job.series, page.klines, page.range))
      done += countOf(job, page.range)
      onProgress({ series: job.series, done, total, written })
    }
  }
  return written
}

function countOf({ series }: KlineJob, range: TimeRange): number {
  return (range.to - range.from) / klineIntervalMs[series.interval]
}
