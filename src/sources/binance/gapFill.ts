import type { Clock } from '../../runtime/clock.ts'
import type { BinanceMarket, MarketRules } from './endpoints.ts'
import { type RestAnswer, type RestTrade, type RestTrades, restPageTrades, tradeFrame } from './restTrades.ts'

/** A trade on its way out of the feed. */
export interface SequencedFrame {
  readonly symbol: string
  readonly tradeId: number
  /** In the feed's own unit. */
  readonly time: number
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

type Pages = AsyncGenerator<SequencedFrame[], void, undefined>

/** A symbol whose missing trades are being fetched: the page at hand, and those that follow. */
interface Lane {
  readonly pages: Pages
  page: SequencedFrame[]
  at: number
}

interface PageRange {
  readonly fromId: number
  readonly toId: number
  /** Trades after this time, in the feed's own unit, are left out. */
  readonly until: number
  /** ms UTC by the clock. */
  readonly deadline: number
}

/** Fetches missing trades by REST, a page at a time, as the frames that the stream would have brought. */
export class GapFill {
  readonly #options: GapFillOptions

  constructor(options: GapFillOptions) {
    this.#options = options
  }

  /** The trades `[fromId, toId]`, in order, as far as they can be had before the deadline; none when there are too many. */
  async *between(symbol: string, fromId: number, toId: number): Pages {
    if (this.#isTooMany(symbol, toId - fromId + 1)) return
    yield* this.#pages(symbol, { fromId, toId, until: Number.POSITIVE_INFINITY, deadline: this.#deadline() })
  }

  /**
   * What each symbol has missed after its last id, while the stream is already listened to: all symbols together by trade time, as live, for
   * symbols share partitions and time must not run ahead of any of them. Trades that the stream brings as well are left to it.
   *
   * Keeps a page a symbol.
   */
  async *catchUp(lastIds: ReadonlyMap<string, number>): Pages {
    const deadline = this.#deadline()
    const lanes: Lane[] = []
    for (const pages of await this.#missedBy(lastIds, deadline)) await advance(lanes, { pages, page: [], at: 0 })
    while (lanes.length > 0) {
      const merged: SequencedFrame[] = []
      // Until a page is used up, whose successor has to be fetched first.
      let index = 0
      let lane: Lane
      do {
        index = earliestLane(lanes)
        lane = lanes[index] as Lane
        merged.push(lane.page[lane.at++] as SequencedFrame)
      } while (lane.at < lane.page.length)
      lanes.splice(index, 1)
      yield merged
      await advance(lanes, lane)
    }
  }

  /** Up to which trade the stream has to be made up for is asked of all symbols first: what is traded later it brings itself. */
  async #missedBy(lastIds: ReadonlyMap<string, number>, deadline: number): Promise<Pages[]> {
    const { rest, rules, signal } = this.#options
    if (!rules.hasContiguousIds) {
      return [...lastIds].map(([symbol, lastId]) => this.#recentSince(symbol, lastId, deadline))
    }
    const behind: { symbol: string; fromId: number }[] = []
    let until = 0
    for (const [symbol, lastId] of lastIds) {
      if (signal.aborted) return []
      const [newest] = await this.#ask(() => rest.recent(symbol, 1, signal), deadline)
      if (newest === undefined || this.#isTooMany(symbol, newest.id - lastId)) continue
      until = Math.max(until, newest.time)
      behind.push({ symbol, fromId: lastId + 1 })
    }
    const toId = Number.POSITIVE_INFINITY
    return behind.map(({ symbol, fromId }) => this.#pages(symbol, { fromId, toId, until, deadline }))
  }

  #isTooMany(symbol: string, missing: number): boolean {
    const { maxTrades, onTrouble } = this.#options
    if (missing <= maxTrades) return false
    onTrouble(`${symbol}: ${missing} trades are missing, more than ${maxTrades}`)
    return true
  }

  async *#pages(symbol: string, { fromId, toId, until, deadline }: PageRange): Pages {
    const { rest, signal } = this.#options
    let next = fromId
    while (next <= toId && !signal.aborted) {
      const from = next
      const rows = await this.#ask(() => rest.fromId(symbol, from, signal), deadline)
      const page: SequencedFrame[] = []
      for (const row of rows) {
        if (row.time > until || next > toId) break
        if (row.id !== next) continue
        page.push(this.#sequenced(symbol, row))
        next++
      }
      // A page that is not full is the last one, or the exchange does not know the next trade: asking on would not end.
      const isLast = page.length < restPageTrades
      if (page.length > 0) yield page
      if (isLast) return
    }
  }

  async *#recentSince(symbol: string, lastId: number, deadline: number): Pages {
    const { rest, signal, onTrouble } = this.#options
    const rows = await this.#ask(() => rest.recent(symbol, restPageTrades, signal), deadline)
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
    return { symbol, tradeId: row.id, time: row.time, frame: tradeFrame(this.#options.market, symbol, row) }
  }
}

/** Fetches the lane's next page and puts it among the others, unless there is none. */
async function advance(lanes: Lane[], lane: Lane): Promise<void> {
  const next = await lane.pages.next()
  if (next.done === true) return
  lane.page = next.value
  lane.at = 0
  lanes.push(lane)
}

function earliestLane(lanes: readonly Lane[]): number {
  let earliest = 0
  let earliestTime = Number.POSITIVE_INFINITY
  lanes.forEach(({ page, at }, index) => {
    const time = page[at]?.time ?? Number.POSITIVE_INFINITY
    if (time >= earliestTime) return
    earliest = index
    earliestTime = time
  })
  return earliest
}
