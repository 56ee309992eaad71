import { z } from 'zod'
import type { Clock } from '../../runtime/clock.ts'
import type { ToldTrade } from '../live/exchangeDialect.ts'
import type { Refused, RestClient } from '../live/restClient.ts'
import { type RestAnswer, type RestDay, restPageTrades, type TradesRest } from '../live/tradesRest.ts'

const decimal = z.string().regex(/^\d+(\.\d+)?$/)
const tradesSchema = z.array(
  z.object({
    trade_id: z.int().min(0),
    side: z.enum(['buy', 'sell']),
    size: decimal,
    price: decimal,
    time: z.iso.datetime({ offset: true }),
  }),
)
export type CoinbaseTradeRow = z.infer<typeof tradesSchema>[number]

/** Products as `/products` tells them, each with `TRADING` or why it is not traded. */
export const coinbaseProducts = z
  .array(z.object({ id: z.string().max(50), status: z.string().max(40), trading_disabled: z.boolean().default(false) }))
  .transform(
    (products): ReadonlyMap<string, string> =>
      new Map(
        products.map(({ id, status, trading_disabled: isDisabled }) => [
          id,
          status === 'online' ? (isDisabled ? 'trading disabled' : 'TRADING') : status,
        ]),
      ),
  )

/** The path of a product's trades or candles. */
export function productPath(product: string, what: 'trades' | 'candles'): string {
  return `/products/${encodeURIComponent(product)}/${what}`
}

/** Oldest first. */
export function tradesOfRows(rows: readonly CoinbaseTradeRow[]): readonly ToldTrade[] {
  return rows
    .map(
      (row): ToldTrade => ({
        ...{ id: row.trade_id, price: row.price, qty: row.size, time: Date.parse(row.time) },
        // The side is the maker's.
        isBuyerMaker: row.side === 'buy',
      }),
    )
    .sort((one, other) => one.id - other.id)
}

export interface CoinbaseRestOptions {
  readonly restUrl: string
  readonly client: RestClient
  /** That of the client. */
  readonly clock: Clock
}

/** The exchange takes ten requests a second and address; others may share it. */
export const coinbaseGapMs = 200
/** More are not asked for at once while everything waits; what the others have missed their own words tell. */
const mostDays = 50

/**
 * What the REST interface of Coinbase Exchange tells a live feed, five requests a second at most. Its pages go backwards from an id: a page from an id on is the page before the id that is a page later.
 */
export class CoinbaseRest implements TradesRest {
  readonly #options: CoinbaseRestOptions
  #nextAt = 0

  constructor(options: CoinbaseRestOptions) {
    this.#options = options
  }

  async fromId(product: string, fromId: number, signal: AbortSignal): Promise<RestAnswer> {
    const query = { after: String(fromId + restPageTrades), limit: String(restPageTrades) }
    const answer = await this.#trades(product, query, signal)
    return 'refused' in answer ? answer : { trades: answer.trades.filter(({ id }) => id >= fromId) }
  }

  recent(product: string, limit: number, signal: AbortSignal): Promise<RestAnswer> {
    return this.#trades(product, { limit: String(limit) }, signal)
  }

  async days(
    products: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly days: ReadonlyMap<string, RestDay> } | Refused> {
    const days = new Map<string, RestDay>()
    for (const product of products.slice(0, mostDays)) {
      const answer = await this.recent(product, 1, signal)
      if ('refused' in answer) return answer
      const newest = answer.trades.at(-1)
      if (newest !== undefined) days.set(product, { lastId: newest.id, closeTime: newest.time })
    }
    return { days }
  }

  async statuses(
    _products: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly statuses: ReadonlyMap<string, string> } | Refused> {
    const answer = await this.#get('/products', {}, coinbaseProducts, signal)
    return 'refused' in answer ? answer : { statuses: answer.value }
  }

  async #trades(product: string, query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<RestAnswer> {
    const answer = await this.#get(productPath(product, 'trades'), query, tradesSchema, signal)
    return 'refused' in answer ? answer : { trades: tradesOfRows(answer.value) }
  }

  async #get<T>(
    path: string,
    query: Readonly<Record<string, string>>,
    schema: z.ZodType<T>,
    signal: AbortSignal,
  ): Promise<{ readonly value: T } | Refused> {
    const { restUrl, client, clock } = this.#options
    const now = clock.now()
    const at = Math.max(now, this.#nextAt)
    this.#nextAt = at + coinbaseGapMs
    if (at > now) await clock.sleep(at - now, signal)
    const url = `${restUrl}${path}?${new URLSearchParams(query)}`
    const answer = await client.ask(url, { share: 1, signal })
    if ('refused' in answer) return answer
    const what = `${new URL(url).host}${path}`
    if (answer.status < 200 || answer.status >= 300) {
      return {
        refused: `${what} answered ${answer.status}: ${answer.text.slice(0, 200)}`,
        retryAt: null,
        by: 'request',
      }
    }
    const read = schema.safeParse(parsedJson(answer.text))
    if (read.success) return { value: read.data }
    const refused = `${what} answered something else: ${z.prettifyError(read.error).slice(0, 200)}`
    return { refused, retryAt: null, by: 'request' }
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
