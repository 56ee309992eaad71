import type { Clock } from '../../../runtime/clock.ts'
import type { AggTradeRow, RestTrades } from '../restTrades.ts'
import type { HeldFrame } from './streamState.ts'

export interface AggTradeFillOptions {
  readonly rest: RestTrades
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Longest wait for REST; everything of the topic waits behind it. */
  readonly waitMs: number
  /** More are not fetched. */
  readonly maxRows: number
  /** A request failed, in words. */
  readonly onTrouble: (what: string) => void
}

/** Aggregates that the stream has not brought. */
export interface MissedAggs {
  readonly symbol: string
  readonly fromId: number
  readonly toId: number
}

/** How long to wait for rows that REST does not tell yet. */
const lagMs = 1_000

/** Fetches aggregates that are missing by REST, a page at a time, as the frames that the stream would have brought. */
export class AggTradeFill {
  readonly #options: AggTradeFillOptions
  /** What it waits for and since when, ms by the clock; null while it does not wait. */
  waiting: { readonly why: string; readonly symbol: string; readonly since: number } | null = null

  constructor(options: AggTradeFillOptions) {
    this.#options = options
  }

  /** In order, as far as they can be had; the result says in words why not all of them could, or is null. */
  async *between({ symbol, fromId, toId }: MissedAggs): AsyncGenerator<readonly HeldFrame[], string | null, undefined> {
    const { rest, clock, signal, waitMs, maxRows, onTrouble } = this.#options
    if (toId - fromId >= maxRows) return `${toId + 1 - fromId} are missing, more than ${maxRows}`
    const since = clock.now()
    const waitUntil = async (until: number, why: string) => {
      this.waiting ??= { why, symbol, since }
      await clock.sleep(Math.max(1, until - clock.now()), signal)
    }
    let next = fromId
    let suspect = -1
    try {
      while (next <= toId && !signal.aborted) {
        const answer = await rest.aggTradesFrom(symbol, next, signal)
        const isLate = clock.now() - since > waitMs
        if ('refused' in answer) {
          if (signal.aborted) return 'stopped'
          if (answer.retryAt === null || isLate) return answer.refused
          if (this.waiting === null) onTrouble(answer.refused)
          await waitUntil(answer.retryAt, answer.refused)
          continue
        }
        const page: HeldFrame[] = []
        const start = next
        for (const row of answer.rows) {
          if (row.a !== next || next > toId) break
          page.push(heldOf(symbol, row))
          next++
        }
        if (page.length > 0) {
          this.waiting = null
          yield page
          continue
        }
        const following = answer.rows[0]?.a
        if (following !== undefined && following > start && following === suspect) {
          // The exchange tells later ones and not these, twice: it does not have them.
          if (following > toId) return null
          next = following
        } else if (isLate) return `REST does not tell aggregate ${start} yet`
        else await waitUntil(clock.now() + lagMs, `REST does not tell aggregate ${start} yet`)
        suspect = following ?? -1
      }
      return signal.aborted ? 'stopped' : null
    } finally {
      this.waiting = null
    }
  }
}

function heldOf(symbol: string, row: AggTradeRow): HeldFrame {
  const stream = `${symbol.toLowerCase()}@aggTrade`
  const frame = Buffer.from(JSON.stringify({ stream, data: { e: 'aggTrade', E: row.T, s: symbol, ...row } }))
  return { frame, facts: { stream, symbol, order: row.a, minor: 0, firstId: row.a, time: row.T } }
}
