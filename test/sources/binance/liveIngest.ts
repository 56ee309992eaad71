import type { LogWriter } from '../../../src/runtime/log/log.ts'
import { type BinanceFeedOptions, binanceFeed } from '../../../src/sources/binance/binanceFeed.ts'
import { type IngestProgress, type IngestReport, runIngest } from '../../../src/sources/ingest/runIngest.ts'
import type { LiveLimits } from '../../../src/sources/live/liveLimits.ts'
import type { FrameFeed } from '../../../src/sources/market/frameFeed.ts'
import { marketFeed } from '../../../src/sources/market/marketFeed.ts'
import type { SimulatedExchange } from '../../../src/testing/exchange/simulatedExchange.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { logContents } from '../ingest/logContents.ts'

export const quick: Partial<LiveLimits> = {
  firstBackoffMs: 5,
  longestBackoffMs: 50,
  idleReadMs: 20,
  idlePingMs: 250,
  deafMs: 60_000,
  stallMs: 60_000,
  overlapMs: 30,
  messageGapMs: 1,
  fillDeadlineMs: 5_000,
  lateRetryMs: 20,
  proofGraceMs: 100,
}

/** An ingest of the fake exchange that runs in the background, and what it has written. */
export class LiveIngest {
  readonly log: MemoryLog
  readonly notices: string[] = []
  readonly #stop = new AbortController()
  readonly #done: Promise<IngestReport>
  #written: () => void = () => undefined
  /** What the feed says of itself, as of late. */
  progress: IngestProgress | null = null

  constructor(
    exchange: SimulatedExchange,
    options: Partial<BinanceFeedOptions> = {},
    log = new MemoryLog({ partitions: 4 }),
    wrap?: (writer: LogWriter) => LogWriter,
    producer = 'live',
    /** Opens the feed of these symbols, and of others later on. */
    following: (feedOf: (symbols: readonly string[]) => FrameFeed) => FrameFeed = (feedOf) =>
      feedOf(options.symbols ?? ['BTCUSDT', 'ETHUSDT']),
  ) {
    this.log = log
    const feedOf = (symbols: readonly string[]) =>
      binanceFeed({
        market: 'spot',
        isSimulated: true,
        endpoints: exchange,
        jitter: () => 0,
        onNotice: (notice) => this.notices.push(notice),
        ...options,
        symbols,
        limits: { ...quick, ...options.limits },
      })
    const inner = log.writer()
    const told: LogWriter = {
      claim: (producer) => inner.claim(producer),
      append: async (records, position) => {
        await inner.append(records, position)
        this.#written()
      },
      close: () => inner.close(),
    }
    this.#done = runIngest({
      feed: marketFeed(following(feedOf)),
      writer: wrap?.(told) ?? told,
      producer,
      partitions: 4,
      signal: this.#stop.signal,
      batch: { lingerMs: 1 },
      onProgress: (progress) => {
        this.progress = progress
      },
    })
  }

  async ids(symbol: string): Promise<number[]> {
    const records = await logContents(this.log)
    return records
      .filter(({ key, value }) => key === symbol && value?.startsWith('{"e"') === false)
      .map(({ value }) => JSON.parse(value ?? ''))
      .map((frame) => frame.data?.t ?? frame.trade_id)
  }

  /** The feed's words on gaps, in order. */
  async gaps(): Promise<ReturnType<typeof JSON.parse>[]> {
    const records = await logContents(this.log)
    return records.flatMap(({ value }) => (value?.startsWith('{"e":"gap"') ? [JSON.parse(value)] : []))
  }

  /** Resolves with the troubles of the feed once one of them is about this. */
  async trouble(about: RegExp): Promise<string> {
    for (;;) {
      const found = this.progress?.feed?.troubles?.find(({ what }) => about.test(what))
      if (found !== undefined) return found.what
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** What the ingest ended with, or why it failed. */
  get done(): Promise<IngestReport> {
    return this.#done
  }

  async until(isMet: () => Promise<boolean>): Promise<void> {
    for (;;) {
      // Taken before the look, so that an append during the look is not missed.
      const written = new Promise<void>((resolve) => {
        this.#written = resolve
      })
      if (await isMet()) return
      await written
    }
  }

  /** Resolves when the log holds a trade of this id. */
  reached(symbol: string, id: number): Promise<void> {
    return this.until(async () => (await this.ids(symbol)).includes(id))
  }

  stop(): Promise<IngestReport> {
    this.#stop.abort()
    return this.#done
  }
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

/** The arguments behind the first one. */
export type Tail<T extends readonly unknown[]> = T extends readonly [unknown, ...infer Rest] ? Rest : never
