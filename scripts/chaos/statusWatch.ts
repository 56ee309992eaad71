import { troubleLines } from '../../src/console/feedText.ts'
import type { IngestProgress } from '../../src/sources/ingest/runIngest.ts'
import type { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'

export interface StatusWatchOptions {
  readonly exchange: SimulatedExchange
  /** ms UTC of the exchange. */
  readonly now: () => number
  /** Ids of a symbol's trades that are in the log. */
  readonly inLog: (symbol: string) => ReadonlySet<number>
  readonly say: (line: string) => void
}

/** A trade may be missing for so long before somebody has to be told. */
const toleratedMs = 15_000
/** So long after the last fault, and after a start, nothing may be told any more: longer than any refusal. */
const calmMs = 75_000
const shownMistakes = 5

/** Asks an ingest how it is, as `millrace status` does, and holds the answer against what the exchange knows: what is wrong must be told, and nothing where nothing is. */
export class StatusWatch {
  readonly #options: StatusWatchOptions
  readonly #progress = new Map<string, IngestProgress>()
  /** When something that has to be got over happened last. */
  #disturbedAt: number
  /** The next trade of each symbol that is not known to be in the log, by place. */
  readonly #checked = new Map<string, number>()
  samples = 0
  /** Samples in which something was wrong for too long and nothing was told. */
  silent = 0
  /** Samples in which nothing was wrong and something was told. */
  crying = 0
  /** Samples in which something was wrong, and was told. */
  told = 0

  constructor(options: StatusWatchOptions) {
    this.#options = options
    this.#disturbedAt = options.now()
  }

  /** A fault has begun, or has ended, or the ingest was started. */
  disturbed(): void {
    this.#disturbedAt = this.#options.now()
  }

  hear(name: string, progress: IngestProgress): void {
    this.#progress.set(name, progress)
  }

  /** What status says now. */
  lines(): readonly string[] {
    return [...this.#progress].flatMap(([name, { feed, waitingFor }]) => [
      ...troubleLines({ name, counts: feed?.counts ?? {}, troubles: feed?.troubles ?? [] }),
      ...(waitingFor === null ? [] : [`${name} waits for ${waitingFor}`]),
    ])
  }

  sample(): void {
    const now = this.#options.now()
    const lines = this.lines()
    const missing = this.#missingSince()
    this.samples++
    if (missing !== null && now - missing.since > toleratedMs) {
      if (lines.length === 0) {
        this.silent++
        this.#mistake(`status says nothing, and a trade of ${missing.symbol} is missing for ${now - missing.since} ms`)
      } else this.told++
    }
    if (missing === null && now - this.#disturbedAt > calmMs && lines.length > 0) {
      this.crying++
      this.#mistake(`nothing is wrong, and status says: ${lines.join('; ')}`)
    }
  }

  #mistake(text: string): void {
    if (this.silent + this.crying <= shownMistakes) this.#options.say(`STATUS: ${text}`)
  }

  /** The oldest trade that the log does not have. */
  #missingSince(): { readonly symbol: string; readonly since: number } | null {
    const { exchange, inLog } = this.#options
    let oldest: { symbol: string; since: number } | null = null
    for (const symbol of exchange.symbols) {
      const ids = inLog(symbol)
      const trades = exchange.trades(symbol)
      // What happened before the feed first listened is nobody's.
      let at = this.#checked.get(symbol) ?? trades.findIndex(({ id }) => ids.has(id))
      if (at < 0) continue
      for (let trade = trades[at]; trade !== undefined && ids.has(trade.id); trade = trades[++at]);
      this.#checked.set(symbol, at)
      const first = trades[at]
      if (first !== undefined && (oldest === null || first.time < oldest.since)) oldest = { symbol, since: first.time }
    }
    return oldest
  }
}
