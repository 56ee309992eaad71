import { z } from 'zod'
import { ConfigurationError } from '../runtime/errors.ts'
import type { BinanceMarket } from '../sources/binance/endpoints.ts'
import type { ApiAnswer, ExchangeApi } from './exchangeApi.ts'

const base: Readonly<Record<BinanceMarket, string>> = { spot: '/api/v3', usdm: '/fapi/v1' }

/** The path of a request of the market. */
export function apiPath(market: BinanceMarket, name: string): string {
  return `${base[market]}/${name}`
}

const infoSchema = z.object({
  rateLimits: z
    .array(
      z.object({
        rateLimitType: z.string(),
        interval: z.string(),
        intervalNum: z.number(),
        limit: z.number().int().positive(),
      }),
    )
    .default([]),
  symbols: z
    .array(z.object({ symbol: z.string().max(50), status: z.string().max(40).default('TRADING') }))
    .max(100_000),
})

/** What the exchange says of itself. */
export interface ExchangeInfo {
  /** Request weight a minute and address; null where it does not say. */
  readonly weightPerMinute: number | null
  /** `TRADING`, `BREAK` and the like, by symbol. */
  readonly symbols: ReadonlyMap<string, string>
}

/** All symbols of a market and the limits of its requests. Throws as `ExchangeApi.get` does, and `ConfigurationError` for an answer that is none. */
export async function readExchangeInfo(api: ExchangeApi, market: BinanceMarket): Promise<ExchangeInfo> {
  const path = apiPath(market, 'exchangeInfo')
  const parsed = infoSchema.safeParse(bodyOf(path, await api.get(path, {})))
  if (!parsed.success) throw oddAnswer(path, parsed.error)
  const limit = parsed.data.rateLimits.find(
    (one) => one.rateLimitType === 'REQUEST_WEIGHT' && one.interval === 'MINUTE' && one.intervalNum === 1,
  )
  return {
    weightPerMinute: limit?.limit ?? null,
    symbols: new Map(parsed.data.symbols.map(({ symbol, status }) => [symbol, status])),
  }
}

const timeSchema = z.object({ serverTime: z.int().min(0) })

/** What time it is at the exchange, ms UTC. Throws as `readExchangeInfo` does. */
export async function readServerTime(api: ExchangeApi, market: BinanceMarket): Promise<number> {
  const path = apiPath(market, 'time')
  const parsed = timeSchema.safeParse(bodyOf(path, await api.get(path, {})))
  if (!parsed.success) throw oddAnswer(path, parsed.error)
  return parsed.data.serverTime
}

/** The body of an answer. Throws `ConfigurationError` for a refusal. */
export function bodyOf(path: string, answer: ApiAnswer): unknown {
  if ('body' in answer) return answer.body
  const { status, message } = answer.refused
  throw new ConfigurationError(`${path}: the exchange refuses (${status}): ${message}.`)
}

/** The error for an answer that is not what the exchange documents. */
export function oddAnswer(path: string, error: z.ZodError): ConfigurationError {
  return new ConfigurationError(
    `${path}: the answer is not what the exchange documents: ${z.prettifyError(error).slice(0, 200).replace(/\s+/g, ' ')}. Is the address of REST one of the exchange's?`,
  )
}
