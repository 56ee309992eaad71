import type pg from 'pg'
import type { HostilePlace } from './untilDone.ts'

/** What one round came to. */
export interface Round {
  readonly starts: number
  readonly records: number
  /** How often an error was answered by what it asked for. */
  readonly skipped: number
  readonly peakMb: number
  readonly problems: readonly string[]
}

/** Where a round works: a schema and a folder of its own. */
export interface RoundPlace extends HostilePlace {
  /** Connections whose search_path is the schema, which is migrated. */
  readonly pool: pg.Pool
}
