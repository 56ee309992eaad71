import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { LogWriter } from '../../src/runtime/log/log.ts'
import { binanceFeed } from '../../src/sources/binance/binanceFeed.ts'
import { binanceStreams } from '../../src/sources/binance/streams/streamFeed.ts'
import type { OtherKind } from '../../src/sources/binance/streams/streamFrame.ts'
import { runIngest } from '../../src/sources/ingest/runIngest.ts'
import { marketFeed } from '../../src/sources/market/marketFeed.ts'
import type { Rates, SenderOrder, SenderReport } from './sender.ts'

const partitions = 4
const sampledEvery = 64

export interface Mark {
  readonly at: number
  readonly cpu: NodeJS.CpuUsage
  readonly records: number
}

/** A sender, and what takes in what it sends. */
export class Run {
  readonly #sender: ReturnType<typeof fork>
  readonly #symbols: readonly string[]
  readonly #url: string
  readonly #stopping = new AbortController()
  readonly #ingests: ReturnType<typeof runIngest>[] = []
  readonly #gaps = new Map<string, number>()
  #report: SenderReport = { sent: 0, behindMs: 0 }
  #mostBehindMs = 0
  #latencies: number[] = []
  #records = 0

  private constructor(sender: ReturnType<typeof fork>, symbols: readonly string[], port: number) {
    this.#sender = sender
    this.#symbols = symbols
    this.#url = `127.0.0.1:${port}`
    sender.on('message', (report: SenderReport) => {
      this.#report = report
      this.#mostBehindMs = Math.max(this.#mostBehindMs, report.behindMs)
    })
  }

  static async start(symbols: readonly string[], rates: Rates): Promise<Run> {
    const sender = fork(fileURLToPath(new URL('./sender.ts', import.meta.url)))
    sender.send({ symbols, rates } satisfies SenderOrder)
    const [{ port }] = (await once(sender, 'message')) as [{ port: number }]
    return new Run(sender, symbols, port)
  }

  /** @param kind null for trades */
  ingest(kind: Extract<OtherKind, 'bookTicker' | 'ticker' | 'kline'> | null): void {
    const endpoints = { streamUrl: `ws://${this.#url}`, restUrl: `http://${this.#url}` }
    const common = { market: 'spot', endpoints, isSimulated: true } as const
    const name = kind === 'kline' ? 'kline_1m' : kind
    const feed =
      kind === null
        ? marketFeed(binanceFeed({ ...common, symbols: this.#symbols }))
        : binanceStreams({ ...common, kind, streams: this.#symbols.map((one) => `${one.toLowerCase()}@${name}`) })
    const done = runIngest({
      feed,
      writer: this.#writer(),
      producer: 'bench',
      partitions,
      signal: this.#stopping.signal,
      onProgress: ({ feed: progress }) => this.#gaps.set(feed.name, progress?.counts.gaps ?? 0),
    })
    this.#ingests.push(done)
  }

  mark(): Mark {
    this.#latencies = []
    this.#mostBehindMs = 0
    return { at: performance.now(), cpu: process.cpuUsage(), records: this.#records }
  }

  since({ at, cpu, records }: Mark) {
    const elapsedMs = performance.now() - at
    const { user, system } = process.cpuUsage(cpu)
    const sorted = this.#latencies.sort((a, b) => a - b)
    const quantile = (part: number) => Math.round(sorted[Math.floor(sorted.length * part)] ?? -1)
    return {
      framesPerS: Math.round(((this.#records - records) * 1_000) / elapsedMs),
      framesPerCpuS: Math.round(((this.#records - records) * 1_000_000) / (user + system)),
      core: Number(((user + system) / 1_000 / elapsedMs).toFixed(2)),
      ...{ p50Ms: quantile(0.5), p99Ms: quantile(0.99) },
      lagFrames: Math.max(0, this.#report.sent - this.#records),
      gaps: [...this.#gaps.values()].reduce((sum, count) => sum + count, 0),
      senderBehindMs: Math.round(this.#mostBehindMs),
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#ingests)
    this.#sender.disconnect()
  }

  /** A log that keeps nothing, and looks at the times of some records once they are in it. */
  #writer(): LogWriter {
    return {
      claim: async () => ({ position: null }),
      append: async (records) => {
        const now = Date.now()
        this.#records += records.length
        for (let index = 0; index < records.length; index += sampledEvery) {
          const sent = Number(/"E":(\d{13})/.exec(String(records[index]?.value))?.[1] ?? Number.NaN)
          if (!Number.isNaN(sent)) this.#latencies.push(now - sent)
        }
      },
      close: async () => undefined,
    }
  }
}
