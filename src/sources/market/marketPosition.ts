import { z } from 'zod'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { EventTimeState } from './eventTimeTracker.ts'
import type { HeartbeatState } from './heartbeats.ts'

export interface RouterState {
  readonly time: EventTimeState
  readonly heartbeats: HeartbeatState
}

/** What is stored with every append: where the frames go on, and what decides the records from there. */
export interface MarketPosition {
  readonly feed: string
  readonly router: RouterState
}

const time = z.number().int()
const schema = z.object({
  v: z.literal(1),
  feed: z.string(),
  router: z.object({
    time: z.object({
      newest: time.nullable(),
      previous: time,
      candidate: z.object({ time, count: z.number().int(), symbol: z.string(), tradeId: z.number().int() }).nullable(),
    }),
    heartbeats: z.array(z.object({ since: time, lag: time, told: time }).nullable()),
  }),
})

export function formatPosition(position: MarketPosition): string {
  return JSON.stringify({ v: 1, ...position })
}

/** Throws `ConfigurationError` on a position of another program, or of another number of partitions. */
export function parsePosition(text: string, feedName: string, partitions: number): MarketPosition {
  const parsed = schema.safeParse(parseJson(text))
  if (!parsed.success) {
    throw new ConfigurationError(
      `${feedName}: the stored position is one that this version cannot read: ${text.slice(0, 80)}. Use another producer name or topic, or the version that wrote it.`,
    )
  }
  const { feed, router } = parsed.data
  if (router.heartbeats.length !== partitions) {
    throw new ConfigurationError(
      `${feedName} wrote ${router.heartbeats.length} partitions before, ${partitions} are asked for now: keys would change their partition. Keep ${router.heartbeats.length}, or start a new topic.`,
    )
  }
  return { feed, router }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
