import type { Feed } from '../../src/runtime/log/feed.ts'

export interface ListFeedOptions {
  /** Of each read; all at once unless told otherwise. */
  readonly perRead?: number
  /** Waited before each read. */
  readonly pauseMs?: number
}

/** Hands over the values as JSON, keyed by their place in the list; its position is how many it has handed over. */
export function listFeed(name: string, values: readonly unknown[], options: ListFeedOptions = {}): Feed {
  const { perRead = values.length, pauseMs = 0 } = options
  return {
    name,
    open: async (position, { partitionOf }) => {
      let next = Number(position ?? 0)
      return {
        read: async () => {
          if (next >= values.length) return null
          if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
          const batch = values.slice(next, next + perRead)
          const records = batch.map((value, index) => {
            const key = Buffer.from(`${next + index}`)
            return {
              partition: partitionOf(key),
              timestamp: next + index,
              key,
              value: Buffer.from(JSON.stringify(value)),
            }
          })
          next += batch.length
          return { records, position: `${next}` }
        },
        progress: () => ({ bytesDone: null, bytesTotal: null, waitingFor: null, counts: {}, newestTime: null }),
        close: async () => undefined,
      }
    },
  }
}
