import { z } from 'zod'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { BinanceMarket } from './endpoints.ts'

const schema = z.object({
  market: z.enum(['spot', 'usdm']),
  lastIds: z.record(z.string(), z.number().int().min(0)),
})

export function formatLivePosition(market: BinanceMarket, lastIds: ReadonlyMap<string, number>): string {
  return JSON.stringify({ market, lastIds: Object.fromEntries(lastIds) })
}

/** The last trade id of each symbol. Throws `ConfigurationError` on a position of another feed or market. */
export function parseLivePosition(text: string, market: BinanceMarket): Map<string, number> {
  const parsed = schema.safeParse(parseJson(text))
  if (!parsed.success || parsed.data.market !== market) {
    throw new ConfigurationError(
      `binance ${market} cannot go on at ${text.slice(0, 80)}: that is not a position of this feed. Use another topic or producer.`,
    )
  }
  return new Map(Object.entries(parsed.data.lastIds))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
