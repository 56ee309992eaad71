import { z } from 'zod'
import type { Clock } from '../../runtime/clock.ts'
import { type AddressLimits, waitOfRefusal } from './addressLimits.ts'
import type { BinanceMarket, MarketRules, RestHost } from './endpoints.ts'
import { inventedHeader, isInvented, misfitText } from './inventedPrices.ts'

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
const daySchema = z.object({ symbol: z.string(), lastId: z.number().int(), closeTime: z.number().int() })
const daysSchema = z.union([z.array(daySchema), daySchema.transform((one) => [one])])
const infoSchema = z.object({ symbols: z.array(z.object({ symbol: z.string(), status: z.string() })) })

/** Named as the stream names them, so that a row goes into a frame as it is. */
const aggsSchema = z.array(
  z.object({
    a: z.number().int().min(0),
    p: decimal,
    q: decimal,
    f: z.number().int(),
    l: z.number().int(),
    T: z.number().int().min(0),
    m: z.boolean(),
    M: z.boolean().optional(),
  }),
)

export type RestTrade = z.infer<typeof rowSchema>

/** The fills of one taker order at one price. */
export type AggTradeRow = z.infer<typeof aggsSchema>[number]

/** What REST says of the last 24 hours of a symbol. */
export interface RestDay {
  /** Id of the newest trade; -1 where there was none. */
  readonly lastId: number
  /** Up to when, in the feed's own unit. */
  readonly closeTime: number
}

export interface Refused {
  readonly refused: string
  /** ms by the clock from which another try makes sense; null when it never will. */
  readonly retryAt: number | null
}

/** Outcome of a request. A refusal is an answer, not an exception: the caller has a deadline of its own. */
export type RestAnswer = { readonly trades: readonly RestTrade[] } | Refused

export interface RestTradesOptions {
  readonly hosts: readonly RestHost[]
  readonly rules: MarketRules
  readonly timeUnit: 'ms' | 'us'
  /** One that goes on evenly, whatever is done to the time of the machine. */
  readonly clock: Clock
  readonly timeoutMs: number
  readonly limits: AddressLimits
  /** True where invented prices are what was asked for; others are refused. */
  readonly isSimulated: boolean
}

/** Most trades that one request gives. */
export const restPageTrades = 1_000
/** Leaves room for others at the same address: the limit is theirs too. */
const weightShare = 0.8
const minuteMs = 60_000
/** Symbols in one request, which has to go into an address. */
const symbolsPerRequest = 100

/**
 * What REST tells, within the exchange's limits: it stays below a share of the request weight, and after a refusal it asks nothing before the
 * time that the exchange names. Where the first host is closed the next one is asked, as far as it has the answer.
 */
export class RestTrades {
  readonly #options: RestTradesOptions
  readonly #closed: { until: number; why: string }[]

  constructor(options: RestTradesOptions) {
    this.#options = options
    this.#closed = options.hosts.map(() => ({ until: 0, why: '' }))
  }

  /** Up to 1,000 trades from this id on, oldest first. Only for markets that allow it without a key. */
  async fromId(symbol: string, fromId: number, signal: AbortSignal): Promise<RestAnswer> {
    const path = this.#options.rules.tradesFromIdPath
    if (path === null) return { refused: 'this market gives trades by id with a key only', retryAt: null }
    const query = { symbol, fromId: String(fromId), limit: String(restPageTrades) }
    return tradesOf(await this.#get(path, query, rowsSchema, signal))
  }

  /** The newest trades, oldest first. */
  async recent(symbol: string, limit: number, signal: AbortSignal): Promise<RestAnswer> {
    const query = { symbol, limit: String(limit) }
    return tradesOf(await this.#get(this.#options.rules.recentTradesPath, query, rowsSchema, signal))
  }

  /** Up to 1,000 aggregates from this id on, oldest first. */
  async aggTradesFrom(
    symbol: string,
    fromId: number,
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly AggTradeRow[] } | Refused> {
    const query = { symbol, fromId: String(fromId), limit: String(restPageTrades) }
    const answer = await this.#get(this.#options.rules.aggTradesPath, query, aggsSchema, signal)
    return 'refused' in answer ? answer : { rows: [...answer.value].sort((one, other) => one.a - other.a) }
  }

  /** The newest id of each symbol: one request for many, and cheap. */
  async days(
    symbols: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly days: ReadonlyMap<string, RestDay> } | Refused> {
    const { rules } = this.#options
    const days = new Map<string, RestDay>()
    for (const some of this.#portions(symbols)) {
      const answer = await this.#get(rules.dayPath, symbolsQuery(some), daysSchema, signal)
      if ('refused' in answer) return answer
      for (const { symbol, lastId, closeTime } of answer.value) days.set(symbol, { lastId, closeTime })
    }
    return { days }
  }

  /**
   * The status of each of these symbols that the exchange lists; of all symbols where it knows one of them not.
   */
  async statuses(
    symbols: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly statuses: ReadonlyMap<string, string> } | Refused> {
    const { rules } = this.#options
    const statuses = new Map<string, string>()
    for (const some of this.#portions(symbols)) {
      let answer = await this.#get(rules.exchangeInfoPath, symbolsQuery(some), infoSchema, signal)
      if ('refused' in answer && answer.retryAt === null)
        answer = await this.#get(rules.exchangeInfoPath, {}, infoSchema, signal)
      if ('refused' in answer) return answer
      for (const { symbol, status } of answer.value.symbols) statuses.set(symbol, status)
    }
    return { statuses }
  }

  #portions(symbols: readonly string[]): readonly (readonly string[] | null)[] {
    if (!this.#options.rules.takesSymbols) return [null]
    const portions: string[][] = []
    for (let from = 0; from < symbols.length; from += symbolsPerRequest)
      portions.push(symbols.slice(from, from + symbolsPerRequest))
    return portions
  }

  async #get<T>(
    path: string,
    query: Record<string, string>,
    schema: z.ZodType<T>,
    signal: AbortSignal,
  ): Promise<{ readonly value: T } | Refused> {
    const { hosts, rules, limits, clock } = this.#options
    let refusal: Refused | null = null
    for (const [index, host] of hosts.entries()) {
      if (path === rules.tradesFromIdPath && !host.hasTradesById) continue
      const block = limits.restBlock
      if (block !== null) return { refused: block.why, retryAt: block.until }
      const closed = this.#closed[index]
      const answer =
        closed !== undefined && clock.now() < closed.until
          ? { refused: closed.why, retryAt: closed.until }
          : await this.#ask(index, `${host.url}${path}?${new URLSearchParams(query)}`, schema, signal)
      if ('value' in answer || answer.retryAt === null || signal.aborted) return answer
      if (refusal?.retryAt == null || answer.retryAt < refusal.retryAt) refusal = answer
    }
    return refusal ?? { refused: `no host serves ${path}`, retryAt: null }
  }

  async #ask<T>(
    index: number,
    url: string,
    schema: z.ZodType<T>,
    signal: AbortSignal,
  ): Promise<{ readonly value: T } | Refused> {
    const { timeUnit, timeoutMs, isSimulated } = this.#options
    const headers: Record<string, string> = timeUnit === 'us' ? { 'X-MBX-TIME-UNIT': 'MICROSECOND' } : {}
    const { host, pathname } = new URL(url)
    const what = `${host}${pathname}`
    try {
      const answer = await fetch(url, { headers, signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) })
      this.#watchWeight(answer.headers)
      const misfit = misfitText(url, isInvented(url, answer.headers.get(inventedHeader)), isSimulated)
      if (misfit !== null) {
        await answer.body?.cancel()
        return this.#close(index, minuteMs, misfit)
      }
      if (answer.ok) return readAs(schema, await answer.json(), what)
      const text = (await answer.text()).slice(0, 200)
      const refused = `${what} answered ${answer.status}: ${text}`
      return this.#refusal(index, answer.status, answer.headers.get('retry-after'), refused)
    } catch (error) {
      return this.#close(index, 1_000, `${what} did not answer: ${causeOf(error)}`)
    }
  }

  #refusal(index: number, status: number, retryAfter: string | null, refused: string): Refused {
    const { limits, clock } = this.#options
    const waitMs = waitOfRefusal(status, retryAfter)
    if (waitMs === null) return status >= 500 ? this.#close(index, 1_000, refused) : { refused, retryAt: null }
    // These two are said to the address, the others by one host.
    if (status === 403 || status === 451) return this.#close(index, waitMs, refused)
    limits.blockRest(waitMs, refused)
    if (status === 418) limits.blockConnecting(waitMs, refused)
    return { refused, retryAt: clock.now() + waitMs }
  }

  #close(index: number, waitMs: number, why: string): Refused {
    const until = this.#options.clock.now() + waitMs
    this.#closed[index] = { until, why }
    return { refused: why, retryAt: until }
  }

  /** The minute is the exchange's, as its answer tells the time. */
  #watchWeight(headers: Headers): void {
    const { rules, limits, clock } = this.#options
    const used = Number(headers.get('x-mbx-used-weight-1m') ?? 0)
    if (!(used > rules.weightPerMinute * weightShare)) return
    const told = Date.parse(headers.get('date') ?? '')
    const now = Number.isNaN(told) ? clock.now() : told
    limits.blockRest(
      minuteMs - (now % minuteMs) + 1_000,
      `the request weight of this minute is used up (${used} of ${rules.weightPerMinute})`,
    )
  }
}

function symbolsQuery(symbols: readonly string[] | null): Record<string, string> {
  return symbols === null ? {} : { symbols: JSON.stringify(symbols) }
}

function readAs<T>(schema: z.ZodType<T>, body: unknown, what: string): { readonly value: T } | Refused {
  const read = schema.safeParse(body)
  if (read.success) return { value: read.data }
  return { refused: `${what} answered something else: ${z.prettifyError(read.error).slice(0, 200)}`, retryAt: null }
}

/** By id, whatever the order of the answer. */
function tradesOf(answer: { readonly value: readonly RestTrade[] } | Refused): RestAnswer {
  return 'refused' in answer ? answer : { trades: [...answer.value].sort((a, b) => a.id - b.id) }
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
