import { z } from 'zod'
import { type ExchangeSurvey, type SurveyOptions, surveyExchange } from '../live/survey.ts'
import { type BinanceEndpoints, type BinanceMarket, marketRules, resolveEndpoints } from './endpoints.ts'

export interface BinanceSurveyOptions extends SurveyOptions {
  readonly market: BinanceMarket
  readonly endpoints?: Partial<BinanceEndpoints>
}

const timeSchema = z.object({ serverTime: z.int().min(0) })
const infoSchema = z.object({
  rateLimits: z
    .array(z.object({ rateLimitType: z.string(), interval: z.string(), intervalNum: z.number(), limit: z.number() }))
    .default([]),
  symbols: z.array(z.object({ symbol: z.string(), status: z.string().default('TRADING') })),
})

/** Looks at Binance as a feed would see it. Throws `ConfigurationError` for endpoints that are no URLs, and for a proxy that is none. */
export async function surveyBinance({ market, endpoints, ...options }: BinanceSurveyOptions): Promise<ExchangeSurvey> {
  const { weightPerMinute, timePath, exchangeInfoPath } = marketRules[market]
  const exchange = {
    ...resolveEndpoints(market, endpoints),
    ...{ streamPath: '/stream', weightPerMinute, timePath, listingPath: exchangeInfoPath },
    timeOf: (body: unknown) => timeSchema.safeParse(body).data?.serverTime ?? null,
    listingOf: (body: unknown) => {
      const read = infoSchema.safeParse(body)
      if (!read.success) return null
      const limit = read.data.rateLimits.find(
        ({ rateLimitType, interval, intervalNum }) =>
          rateLimitType === 'REQUEST_WEIGHT' && interval === 'MINUTE' && intervalNum === 1,
      )
      return {
        statuses: new Map(read.data.symbols.map(({ symbol, status }) => [symbol, status])),
        weightPerMinute: limit?.limit ?? null,
      }
    },
  }
  return surveyExchange(exchange, options)
}
