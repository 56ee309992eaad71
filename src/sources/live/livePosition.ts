import { z } from 'zod'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { LiveMarket } from './exchangeDialect.ts'
import type { OpenGap } from './openGaps.ts'

/** Where a symbol goes on. */
export interface SymbolPlace {
  /** Of the newest trade that was handed over. */
  readonly lastId: number
  /** Its trade time, ms UTC; null where it is not known. */
  readonly lastTime: number | null
  /** How often its ids have started again. */
  readonly epoch: number
}

export interface LivePosition {
  /** Frames handed over, so that no two positions are the same. */
  readonly frames: number
  readonly symbols: ReadonlyMap<string, SymbolPlace>
  readonly gaps: readonly OpenGap[]
}

const id = z.number().int().min(0)
const time = z.number().int()
const place = z.tuple([z.number().int().min(-1), time.nullable(), id])
const gap = z.object({
  symbol: z.string(),
  epoch: id,
  firstId: id,
  lastId: z.number().int().min(-1),
  next: id,
  fromTime: time,
  toTime: time,
  revision: z.number().int().min(1),
  reason: z.string(),
  seenAt: time,
})
const market = z.enum(['spot', 'usdm', 'coinbase'])
const present = z.object({
  market,
  v: z.literal(2),
  frames: id,
  symbols: z.record(z.string(), place),
  gaps: z.array(gap),
})
/** Of versions before there were gaps. */
const older = z.object({ market, lastIds: z.record(z.string(), id) })

export function formatLivePosition(market: LiveMarket, { frames, symbols, gaps }: LivePosition): string {
  const places = [...symbols].map(([symbol, { lastId, lastTime, epoch }]) => [symbol, [lastId, lastTime, epoch]])
  return JSON.stringify({ market, v: 2, frames, symbols: Object.fromEntries(places), gaps })
}

/** Throws `ConfigurationError` on a position of another feed or market. */
export function parseLivePosition(text: string, market: LiveMarket): LivePosition {
  const parsed = z.union([present, older]).safeParse(parseJson(text))
  if (!parsed.success || parsed.data.market !== market) {
    throw new ConfigurationError(
      `${market === 'coinbase' ? market : `binance ${market}`} cannot go on at ${text.slice(0, 80)}: that is not a position of this feed. Use another topic or producer.`,
    )
  }
  const { data } = parsed
  if ('lastIds' in data) {
    const places = Object.entries(data.lastIds).map(
      ([symbol, lastId]) => [symbol, { lastId, lastTime: null, epoch: 0 }] as const,
    )
    return { frames: 0, symbols: new Map(places), gaps: [] }
  }
  const places = Object.entries(data.symbols).map(
    ([symbol, [lastId, lastTime, epoch]]) => [symbol, { lastId, lastTime, epoch }] as const,
  )
  return { frames: data.frames, symbols: new Map(places), gaps: data.gaps }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
