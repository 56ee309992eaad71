import { z } from 'zod'
import { feedWeightShare } from '../live/addressLimits.ts'
import type { Refused, RestClient } from '../live/restClient.ts'
import { type RestAnswer, type RestDay, restPageTrades, type TradesRest } from '../live/tradesRest.ts'
import type { BinanceMarket, MarketRules, RestHost } from './endpoints.ts'

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

export interface RestTradesOptions {
  readonly hosts: readonly RestHost[]
  readonly rules: MarketRules
  readonly timeUnit: 'ms' | 'us'
  readonly client: RestClient
}

/** Symbols in one request, which has to go into an address. */
const symbolsPerRequest = 100

/**
 * What REST tells, within the exchange's limits: it stays below a share of the request weight, and after a refusal it asks nothing before the
 * time that the exchange names. Where the first host is closed the next one is asked, as far as it has the answer.
 */
export class RestTrades implements TradesRest {
  readonly #options: RestTradesOptions

  constructor(options: RestTradesOptions) {
    this.#options = options
  }

  /** Up to 1,000 trades from this id on, oldest first. Only for markets that allow it without a key. */
  async fromId(symbol: string, fromId: number, signal: AbortSignal): Promise<RestAnswer> {
    const path = this.#options.rules.tradesFromIdPath
    if (path === null)
      return { refused: 'this market gives trades by id with a key only', retryAt: null, by: 'request' }
    const query = { symbol, fromId: String(fromId), limit: String(restPageTrades) }
    const answer = tradesOf(await this.#get(path, query, rowsSchema, signal))
    // Somebody between may answer with a page of before.
    return 'refused' in answer ? answer : { trades: answer.trades.filter(({ id }) => id >= fromId) }
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
    if ('refused' in answer) return answer
    return { rows: answer.value.filter(({ a }) => a >= fromId).sort((one, other) => one.a - other.a) }
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
    const { hosts, rules } = this.#options
    let refusal: Refused | null = null
    for (const host of hosts) {
      if (path === rules.tradesFromIdPath && !host.hasTradesById) continue
      const answer = await this.#ask(`${host.url}${path}?${new URLSearchParams(query)}`, schema, signal)
      if ('value' in answer || answer.retryAt === null || signal.aborted) return answer
      if (refusal?.retryAt == null || answer.retryAt < refusal.retryAt) refusal = answer
      // What is said to the address is said by all hosts.
      if (answer.by === 'limit') break
    }
    return refusal ?? { refused: `no host serves ${path}`, retryAt: null, by: 'request' }
  }

  async #ask<T>(url: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<{ readonly value: T } | Refused> {
    const { timeUnit, client } = this.#options
    const headers: Record<string, string> = timeUnit === 'us' ? { 'X-MBX-TIME-UNIT': 'MICROSECOND' } : {}
    const answer = await client.ask(url, { headers, share: feedWeightShare, signal })
    if ('refused' in answer) return answer
    const { host, pathname } = new URL(url)
    const what = `${host}${pathname}`
    if (answer.status < 200 || answer.status >= 300) {
      return {
        refused: `${what} answered ${answer.status}: ${answer.text.slice(0, 200)}`,
        retryAt: null,
        by: 'request',
      }
    }
    return readAs(schema, answer.text, what)
  }
}

function symbolsQuery(symbols: readonly string[] | null): Record<string, string> {
  return symbols === null ? {} : { symbols: JSON.stringify(symbols) }
}

function readAs<T>(schema: z.ZodType<T>, text: string, what: string): { readonly value: T } | Refused {
  const read = schema.safeParse(parsed(text))
  if (read.success) return { value: read.data }
  const refused = `${what} answered something else: ${z.prettifyError(read.error).slice(0, 200)}`
  return { refused, retryAt: null, by: 'request' }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
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
