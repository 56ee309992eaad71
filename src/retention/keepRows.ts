import { systemClock } from '../runtime/clock.ts'
import { openPool, type PostgresAddress } from '../sinks/postgres/connection.ts'
import { deleteOld } from './deleteOld.ts'
import type { Keep } from './keepKinds.ts'

const everyMs = 3_600_000
/** A start has better things to do. */
const firstAfterMs = 60_000
/** The first time there may be much to look through. */
const statementTimeoutMs = 600_000

/** Where rows are deleted. */
export interface KeepPlace {
  readonly address: PostgresAddress
  readonly schema: string
  readonly lost: AbortSignal
}

/** Deletes what is older than it is to be kept, a minute from now and once an hour, until it is stopped. A failure is told and tried again. */
export function keepRows(
  { address, schema, lost }: KeepPlace,
  keep: Keep,
  onWarning: (line: string) => void,
): { stop(): Promise<void> } {
  const pool = openPool(address, {
    schema,
    applicationName: 'millrace retention',
    maxConnections: 1,
    statementTimeoutMs,
    lost,
  })
  const stopping = new AbortController()
  const working = (async () => {
    for (let waitMs = firstAfterMs; ; waitMs = everyMs) {
      await systemClock.sleep(waitMs, stopping.signal)
      if (stopping.signal.aborted) return
      try {
        await deleteOld(pool, keep, stopping.signal)
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        onWarning(`warning: old rows were not deleted, which is tried again in an hour: ${message}`)
      }
    }
  })()
  return {
    stop: async () => {
      stopping.abort()
      await working
      await pool.end()
    },
  }
}
