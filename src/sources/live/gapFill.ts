import type { Clock } from '../../runtime/clock.ts'
import type { ExchangeDialect, ToldTrade } from './exchangeDialect.ts'
import type { Refused } from './restClient.ts'
import { type RestDay, restPageTrades, type TradesRest } from './tradesRest.ts'

/** A trade on its way out of the feed. */
export interface SequencedFrame {
  readonly symbol: string
  readonly tradeId: number
  /** In the feed's own unit. */
  readonly time: number
  readonly frame: Buffer
}

export interface GapFillOptions {
  readonly dialect: ExchangeDialect
  readonly rest: TradesRest
  readonly clock: Clock
  /** Everything behind a gap waits while it is filled, so not for ever. */
  readonly deadlineMs: number
  /** A larger gap is not waited for. */
  readonly maxTrades: number
  readonly signal: AbortSignal
  /** A request failed, in words. */
  readonly onTrouble: (what: string) => void
}

export type Pages = AsyncGenerator<SequencedFrame[], void, undefined>

/** What a symbol has missed. On markets where ids skip, whatever has come since `fromId`. */
export interface Missed {
  readonly symbol: string
  readonly fromId: number
  readonly toId: number
}

/** What the symbol has missed behind its newest trade. */
export function missedFrom(state: { readonly symbol: string; readonly lastId: number | null }, toId: number): Missed {
  const { symbol, lastId } = state
  return { symbol, fromId: (lastId ?? -1) + 1, toId }
}

/** A symbol whose missing trades are being fetched: the page at hand, and those that follow. */
interface Lane {
  readonly pages: Pages
  page: SequencedFrame[]
  at: number
}

/**
 * Fetches missing trades by REST while everything behind them waits, a page at a time, as the frames that the stream would have brought.
 *
 * All gaps share one patience: where REST has not answered within the deadline, the next gaps do not wait for it, until it has been heard again.
 */
export class GapFill {
  readonly #options: GapFillOptions
  /** Until when REST counts as away, ms by the clock. */
  #awayUntil = 0
  /** Why the newest one could not be filled at once, in words. */
  why = ''
  /** What REST last refused while it is asked, in words; empty after an answer. */
  trouble = ''

  constructor(options: GapFillOptions) {
    this.#options = options
  }

  /** REST has answered somebody. */
  restAnswered(): void {
    this.#awayUntil = 0
  }

  /** The trades, in order, as far as they can be had before the deadline; none when there are too many. */
  async *between({ symbol, fromId, toId }: Missed): Pages {
    if (this.#isTooMany(symbol, toId - fromId + 1)) return
    yield* this.#pages({ symbol, fromId, toId }, this.newDeadline())
  }

  /** The newest trade of each symbol, as far as it can be had before the deadline; null where none can. */
  async days(symbols: readonly string[], deadline: number): Promise<ReadonlyMap<string, RestDay> | null> {
    const { rest, signal } = this.#options
    const answer = await this.#ask(() => rest.days(symbols, signal), deadline)
    return answer?.days ?? null
  }

  /**
   * What each symbol has missed, all together by trade time, as live, for symbols share partitions and time must not run ahead of any of them.
   *
   * Keeps a page a symbol.
   */
  async *catchUp(missed: readonly Missed[], deadline: number): Pages {
    const lanes: Lane[] = []
    for (const one of missed) {
      if (this.#isTooMany(one.symbol, one.toId - one.fromId + 1)) continue
      const pages = this.#options.dialect.hasContiguousIds
        ? this.#pages(one, deadline)
        : this.#recentSince(one, deadline)
      await advance(lanes, { pages, page: [], at: 0 })
    }
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

  #isTooMany(symbol: string, missing: number): boolean {
    const { maxTrades, onTrouble } = this.#options
    if (!Number.isFinite(missing) || missing <= maxTrades) return false
    this.why = `${missing} trades are missing, more than ${maxTrades}`
    onTrouble(`${symbol}: ${this.why}`)
    return true
  }

  async *#pages({ symbol, fromId, toId }: Missed, deadline: number): Pages {
    const { rest, signal } = this.#options
    let next = fromId
    while (next <= toId && !signal.aborted) {
      const from = next
      const rows = (await this.#ask(() => rest.fromId(symbol, from, signal), deadline))?.trades ?? []
      const page: SequencedFrame[] = []
      for (const row of rows) {
        // What is missing in the answer is left to be asked for again.
        if (row.id > next || next > toId) break
        if (row.id < next) continue
        page.push(this.#sequenced(symbol, row))
        next++
      }
      // A page that is not full is the last one, or the exchange does not know the next trade: asking on would not end.
      const isLast = page.length < restPageTrades
      if (page.length > 0) yield page
      if (isLast) {
        if (rows.length > 0) this.why = `REST does not tell trade ${next} yet`
        return
      }
    }
  }

  async *#recentSince({ symbol, fromId }: Missed, deadline: number): Pages {
    const { rest, signal, onTrouble } = this.#options
    const rows = (await this.#ask(() => rest.recent(symbol, restPageTrades, signal), deadline))?.trades ?? []
    const oldest = rows[0]?.id
    if (oldest === undefined) return
    if (oldest > fromId && rows.length >= restPageTrades) {
      onTrouble(
        `${symbol}: trades between ${fromId - 1} and ${oldest} may be missing, the exchange gives the newest ${rows.length} only`,
      )
    }
    const missed = rows.filter((row) => row.id >= fromId)
    if (missed.length > 0) yield missed.map((row) => this.#sequenced(symbol, row))
  }

  /** The answer; null where there was none before the deadline. */
  async #ask<T extends object>(request: () => Promise<T | Refused>, deadline: number): Promise<T | null> {
    const { clock, signal, onTrouble, deadlineMs } = this.#options
    for (;;) {
      if (signal.aborted || clock.now() < this.#awayUntil) return null
      const answer = await request()
      if (!('refused' in answer)) {
        this.#awayUntil = 0
        this.trouble = ''
        return answer
      }
      if (signal.aborted) return null
      onTrouble(answer.refused)
      this.why = answer.refused
      this.trouble = answer.refused
      if (answer.retryAt === null) return null
      if (answer.retryAt > deadline || clock.now() >= deadline) {
        this.#awayUntil = clock.now() + 2 * deadlineMs
        return null
      }
      await clock.sleep(answer.retryAt - clock.now(), signal)
    }
  }

  /** Until when what begins now is waited for, ms by the clock. */
  newDeadline(): number {
    return this.#options.clock.now() + this.#options.deadlineMs
  }

  #sequenced(symbol: string, row: ToldTrade): SequencedFrame {
    return { symbol, tradeId: row.id, time: row.time, frame: this.#options.dialect.tradeFrame(symbol, row) }
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
