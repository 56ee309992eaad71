import type { Clock } from '../../runtime/clock.ts'
import type { BinanceMarket, MarketRules } from './endpoints.ts'
import { type RestAnswer, type RestTrade, type RestTrades, restPageTrades, tradeFrame } from './restTrades.ts'

/** A trade on its way out of the feed. */
export interface SequencedFrame {
  readonly symbol: string
  readonly tradeId: number
  readonly frame: Buffer
}

export interface GapFillOptions {
  readonly market: BinanceMarket
  readonly rules: MarketRules
  readonly rest: RestTrades
  readonly clock: Clock
  /** Everything behind a gap waits while it is filled, so not for ever. */
  readonly deadlineMs: number
  /** A larger gap is not filled but reported. */
  readonly maxTrades: number
  readonly signal: AbortSignal
  /** A request failed, in words. */
  readonly onTrouble: (what: string) => void
}

/** Fetches missing trades by REST, a page at a time, as the frames that the stream would have brought. */
export class GapFill {
  readonly #options: GapFillOptions

  constructor(options: GapFillOptions) {
    this.#options = options
  }

  /** The trades `[fromId, toId]`, in order, as far as they can be had before the deadline. */
  async *between(symbol: string, fromId: number, toId: number): AsyncGenerator<SequencedFrame[], void, undefined> {
    if (toId - fromId >= this.#options.maxTrades) {
      this.#options.onTrouble(
        `${symbol}: ${toId - fromId + 1} trades are missing, more than ${this.#options.maxTrades}`,
      )
      return
    }
    yield* this.#pages(symbol, fromId, toId)
  }

  /** The trades after `lastId` up to now, as far as they can be had; nothing when there are too many. */
  async *since(symbol: string, lastId: number): AsyncGenerator<SequencedFrame[], void, undefined> {
    if (!this.#options.rules.hasContiguousIds) return yield* this.#recentSince(symbol, lastId)
    const newest = await this.#ask(() => this.#options.rest.recent(symbol, 1, this.#options.signal), this.#deadline())
    const newestId = newest.at(-1)?.id
    if (newestId === undefined || newestId <= lastId) return
    yield* this.between(symbol, lastId + 1, newestId)
  }

  async *#pages(symbol: string, fromId: number, toId: number): AsyncGenerator<SequencedFrame[], void, undefined> {
    const { rest, signal } = this.#options
    const deadline = this.#deadline()
    let next = fromId
    while (next <= toId && !signal.aborted) {
      const from = next
      const rows = await this.#ask(() => rest.fromId(symbol, from, signal), deadline)
      const page: SequencedFrame[] = []
      for (const row of rows) {
        if (row.id !== next || next > toId) continue
        page.push(this.#sequenced(symbol, row))
        next++
      }
      // The exchange does not know the next trade (yet): asking on would not end.
      if (page.length === 0) return
      yield page
    }
  }

  async *#recentSince(symbol: string, lastId: number): AsyncGenerator<SequencedFrame[], void, undefined> {
    const { rest, signal, onTrouble } = this.#options
    const rows = await this.#ask(() => rest.recent(symbol, restPageTrades, signal), this.#deadline())
    const oldest = rows[0]?.id
    if (oldest === undefined) return
    if (oldest > lastId + 1 && rows.length >= restPageTrades) {
      onTrouble(
        `${symbol}: trades between ${lastId} and ${oldest} may be missing, the exchange gives the newest ${rows.length} only`,
      )
    }
    const missed = rows.filter((row) => row.id > lastId)
    if (missed.length > 0) yield missed.map((row) => this.#sequenced(symbol, row))
  }

  /** The trades of the answer; of the last refusal, none. */
  async #ask(request: () => Promise<RestAnswer>, deadline: number): Promise<readonly RestTrade[]> {
    const { clock, signal, onTrouble } = this.#options
    for (;;) {
      const answer = await request()
      if ('trades' in answer) return answer.trades
      if (signal.aborted) return []
      onTrouble(answer.refused)
      if (answer.retryAt === null || answer.retryAt > deadline || clock.now() >= deadline) return []
      await clock.sleep(answer.retryAt - clock.now(), signal)
    }
  }

  #deadline(): number {
    return this.#options.clock.now() + this.#options.deadlineMs
  }

  #sequenced(symbol: string, row: RestTrade): SequencedFrame {
    return { symbol, tradeId: row.id, frame: tradeFrame(this.#options.market, symbol, row) }
  }
}
