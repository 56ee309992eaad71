import { z } from 'zod'
import type { Clock } from '../../runtime/clock.ts'
import type { BinanceMarket, MarketRules } from './endpoints.ts'

const decimal = z.string().regex(/^\d+(\.\d+)?$/)
const rowSchema = z.object({
  id: z.number().int().min(0),
  price: decimal,
  qty: decimal,
  time: z.number().int().min(0),
  isBuyerMaker: z.boolean(),
  isBestMatch: z.boolean().optional(),
})
const rowsSchema = z.array(rowSchema)

export type RestTrade = z.infer<typeof rowSchema>

/** Outcome of a request. A refusal is an answer, not an exception: the caller has a deadline of its own. */
export type RestAnswer =
  | { readonly trades: readonly RestTrade[] }
  | {
      readonly refused: string
      /** ms UTC from which another try makes sense; null when it never will. */
      readonly retryAt: number | null
    }

export interface RestTradesOptions {
  readonly restUrl: string
  readonly rules: MarketRules
  readonly timeUnit: 'ms' | 'us'
  readonly clock: Clock
  readonly timeoutMs: number
}

/** Most trades that one request gives. */
export const restPageTrades = 1_000
/** Leaves room for others at the same address: the limit is theirs too. */
const weightShare = 0.8
const minuteMs = 60_000

/**
 * Trades by REST, within the exchange's limits: it stays below a share of the request weight, and after 429 or 418 it asks nothing before the
 * time that the exchange names, because asking on is what gets an address banned.
 */
export class RestTrades {
  readonly #options: RestTradesOptions
  #blockedUntil = 0
  #blockedBy = ''

  constructor(options: RestTradesOptions) {
    this.#options = options
  }

  /** Up to 1,000 trades from this id on, oldest first. Only for markets that allow it without a key. */
  fromId(symbol: string, fromId: number, signal: AbortSignal): Promise<RestAnswer> {
    const path = this.#options.rules.tradesFromIdPath
    if (path === null)
      return Promise.resolve({ refused: 'this market gives trades by id with a key only', retryAt: null })
    return this.#get(path, { symbol, fromId: String(fromId), limit: String(restPageTrades) }, signal)
  }

  /** The newest trades, oldest first. */
  recent(symbol: string, limit: number, signal: AbortSignal): Promise<RestAnswer> {
    return this.#get(this.#options.rules.recentTradesPath, { symbol, limit: String(limit) }, signal)
  }

  async #get(path: string, query: Record<string, string>, signal: AbortSignal): Promise<RestAnswer> {
    const { clock, restUrl, timeUnit, timeoutMs } = this.#options
    if (clock.now() < this.#blockedUntil) return { refused: this.#blockedBy, retryAt: this.#blockedUntil }
    const headers: Record<string, string> = timeUnit === 'us' ? { 'X-MBX-TIME-UNIT': 'MICROSECOND' } : {}
    try {
      const answer = await fetch(`${restUrl}${path}?${new URLSearchParams(query)}`, {
        headers,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      })
      this.#watchWeight(answer.headers.get('x-mbx-used-weight-1m'))
      if (answer.ok) return readRows(await answer.json())
      const text = (await answer.text()).slice(0, 200)
      return this.#refusal(
        answer.status,
        answer.headers.get('retry-after'),
        `${path} answered ${answer.status}: ${text}`,
      )
    } catch (error) {
      return { refused: `${path} did not answer: ${causeOf(error)}`, retryAt: clock.now() + 1_000 }
    }
  }

  #refusal(status: number, retryAfter: string | null, refused: string): RestAnswer {
    const now = this.#options.clock.now()
    if (status === 429 || status === 418) {
      const seconds = Number(retryAfter ?? Number.NaN)
      const waitMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : (status === 418 ? 2 : 1) * minuteMs
      this.#block(now + waitMs, refused)
      return { refused, retryAt: this.#blockedUntil }
    }
    return { refused, retryAt: status >= 500 ? now + 1_000 : null }
  }

  #watchWeight(header: string | null): void {
    const used = Number(header ?? 0)
    const limit = this.#options.rules.weightPerMinute * weightShare
    if (!(used > limit)) return
    const nextMinute = (Math.floor(this.#options.clock.now() / minuteMs) + 1) * minuteMs
    this.#block(
      nextMinute,
      `the request weight of this minute is used up (${used} of ${this.#options.rules.weightPerMinute})`,
    )
  }

  #block(until: number, why: string): void {
    if (until <= this.#blockedUntil) return
    this.#blockedUntil = until
    this.#blockedBy = why
  }
}

function readRows(body: unknown): RestAnswer {
  const rows = rowsSchema.safeParse(body)
  if (rows.success) return { trades: rows.data }
  return { refused: `the answer is not a list of trades: ${z.prettifyError(rows.error).slice(0, 200)}`, retryAt: null }
}

/** The frame that the stream would have brought, as far as REST tells. */
export function tradeFrame(market: BinanceMarket, symbol: string, trade: RestTrade): Buffer {
  const { id, price, qty, time, isBuyerMaker, isBestMatch = true } = trade
  const kind = market === 'usdm' ? `"X":"MARKET","m":${isBuyerMaker}` : `"m":${isBuyerMaker},"M":${isBestMatch}`
  const name = JSON.stringify(symbol)
  const stream = JSON.stringify(`${symbol.toLowerCase()}@trade`)
  return Buffer.from(
    `{"stream":${stream},"data":{"e":"trade","E":${time},"s":${name},"t":${id},"p":"${price}","q":"${qty}","T":${time},${kind}}}`,
  )
}

/** What went wrong, with the cause that fetch hides. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (cause instanceof Error)
    return `${error.message} (${'code' in cause ? `${String(cause.code)} ` : ''}${cause.message})`
  return error.message
}
