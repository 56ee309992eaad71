import { z } from 'zod'
import { earliestTradeMs, latestTradeMs } from './timeUnit.ts'
import type { Market } from './trade.ts'

export const gapStates = ['open', 'filled', 'absent', 'lost', 'restarted'] as const
/**
 * What a gap in the trades is. `open`: trades are known to be missing, and the stream has gone on without them. `filled`: they have all come. `absent`: the exchange, asked, does not have
 * them, so nothing is missing. `lost`: they cannot be had any more. `restarted`: no gap, but the ids of the symbol start again behind it.
 */
export type GapState = (typeof gapStates)[number]

/** That trades of a symbol are missing, or no longer: a word of the ingest in the log, between the trades. Times are ms UTC. */
export interface FeedGap {
  readonly type: 'gap'
  readonly market: Market
  readonly symbol: string
  /** How often the symbol's ids had started again: 0 at first. */
  readonly epoch: number
  /** Id of the first missing trade; with `epoch` it says which gap it is. */
  readonly firstId: number
  /** Id of the last missing trade; one less than `firstId` where none is missing. */
  readonly lastId: number
  /** Of the newest trade before it. */
  readonly fromTime: number
  /** Of the first trade behind it. */
  readonly toTime: number
  /** Whether trades are missing still, and how it ended. */
  readonly state: GapState
  /** How many are missing still. */
  readonly missing: number
  /** 1 at first, one more with each change. */
  readonly revision: number
  /** In words: why it could not be filled at once, or how it ended. */
  readonly reason: string
  /** When the feed saw it, by the feed's clock. */
  readonly seenAt: number
  /** When it came to this state, by the feed's clock. */
  readonly at: number
}

const id = z.int().min(0)
const time = z.int().min(earliestTradeMs).max(latestTradeMs)

/** As the ingest writes it. */
export const gapSchema = z.object({
  e: z.literal('gap'),
  s: z.string().min(1).max(50),
  epoch: id,
  firstId: id,
  lastId: z.int().min(-1),
  fromTime: time,
  toTime: time,
  state: z.enum(gapStates),
  missing: id,
  revision: z.int().min(1),
  reason: z.string().max(500),
  seenAt: time,
  at: time,
})

/** The record that tells it. */
export function gapFrame({ type: _type, market: _market, symbol, ...facts }: FeedGap): Buffer {
  return Buffer.from(JSON.stringify({ e: 'gap', s: symbol, ...facts }))
}

export function gapOf({ e: _e, s, ...facts }: z.output<typeof gapSchema>, market: Market): FeedGap {
  return { type: 'gap', market, symbol: s, ...facts }
}
