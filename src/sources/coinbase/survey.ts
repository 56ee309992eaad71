import { z } from 'zod'
import { type ExchangeSurvey, type SurveyOptions, surveyExchange } from '../live/survey.ts'
import { coinbaseProducts } from './coinbaseRest.ts'
import { type CoinbaseEndpoints, coinbaseEndpoints } from './endpoints.ts'

export interface CoinbaseSurveyOptions extends SurveyOptions {
  readonly endpoints?: Partial<CoinbaseEndpoints>
}

const timeSchema = z.object({ epoch: z.number().positive() })

/** Looks at Coinbase Exchange as a feed would see it. Throws `ConfigurationError` for a proxy that is none. */
export function surveyCoinbase({ endpoints, ...options }: CoinbaseSurveyOptions): Promise<ExchangeSurvey> {
  const { streamUrl = coinbaseEndpoints.streamUrl, restUrl = coinbaseEndpoints.restUrl } = endpoints ?? {}
  const exchange = {
    ...{ streamUrl, restUrl, streamPath: '', timePath: '/time', listingPath: '/products' },
    weightPerMinute: Number.POSITIVE_INFINITY,
    timeOf: (body: unknown) => {
      const read = timeSchema.safeParse(body)
      return read.success ? Math.round(read.data.epoch * 1_000) : null
    },
    listingOf: (body: unknown) => {
      const read = coinbaseProducts.safeParse(body)
      return read.success ? { statuses: read.data, weightPerMinute: null } : null
    },
  }
  return surveyExchange(exchange, options)
}
