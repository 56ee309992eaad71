import { z } from 'zod'
import { ConfigurationError } from '../../../runtime/errors.ts'
import type { BinanceMarket } from '../endpoints.ts'
import type { OtherKind } from './streamFrame.ts'
import type { StreamMark } from './streamState.ts'

/** What is stored with every append: how many frames were handed over, and the newest of each stream. */
export interface StreamPosition {
  /** So that no two positions are the same. */
  readonly frames: number
  readonly marks: ReadonlyMap<string, StreamMark>
}

const count = z.number().int().min(0)
const schema = z.object({
  v: z.literal(1),
  market: z.enum(['spot', 'usdm']),
  kind: z.string(),
  frames: count,
  streams: z.record(z.string(), z.tuple([count, count])),
})

export function formatStreamPosition(
  market: BinanceMarket,
  kind: OtherKind,
  { frames, marks }: StreamPosition,
): string {
  return JSON.stringify({ v: 1, market, kind, frames, streams: Object.fromEntries(marks) })
}

/** Throws `ConfigurationError` on a position of another feed, market or kind of stream. */
export function parseStreamPosition(text: string, market: BinanceMarket, kind: OtherKind): StreamPosition {
  const parsed = schema.safeParse(parseJson(text))
  if (!parsed.success || parsed.data.market !== market || parsed.data.kind !== kind) {
    throw new ConfigurationError(
      `binance ${market} ${kind} cannot go on at ${text.slice(0, 80)}: that is not a position of this feed. Use another topic or producer.`,
    )
  }
  const { frames, streams } = parsed.data
  return { frames, marks: new Map(Object.entries(streams)) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
