import type pg from 'pg'
import { LakeConflict, type LakePlace, type PreparedCommit } from '../lake/lakeCommit.ts'
import { whileWriting } from '../lake/lakeLock.ts'
import { mirrorChanges } from '../lake/lakeMirror.ts'
import { ownLake } from '../lake/lakeOwner.ts'
import type { MarketEvent } from '../market/trade.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import type { Codec } from '../runtime/codec.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { openPool, type PostgresAddress } from '../sinks/postgres/connection.ts'
import { withClient } from '../sinks/postgres/withClient.ts'
import type { QualityBoundary } from './batchWindow.ts'
import { forgetArchive, readArchive } from './bronze.ts'
import { hoursOf, makeGold } from './gold.ts'
import { dirtyEverything, mergeSilver, takeDirtyWindows } from './silver.ts'

/** What a pass makes, and of what. */
export interface BatchJob {
  /** Makes trades of the archive's bytes. */
  readonly trades: Codec<MarketEvent>
  /** Where the archive is; null where none is read, and silver is made of klines alone. */
  readonly archive: ObjectStore | null
  /** Where the lake is; null for none. */
  readonly lake: LakePlace | null
  /** True to make everything anew, the minutes of the archive included. */
  readonly isFull?: boolean
  /** Asked between silver and gold; nothing is blocked where it is left out. */
  readonly quality?: QualityBoundary
  /** The system's, if left out. */
  readonly clock?: Clock
}

/** Where a pass runs. */
export interface BatchRun {
  readonly database: { readonly address: PostgresAddress; readonly schema: string }
  /** Of this attempt, for what it leaves in tables. */
  readonly runId: string
  /** Ends the pass: what is committed stays, and the next one goes on there. */
  readonly signal: AbortSignal
  /** Called last before the commit, in the transaction of the pass: who keeps a ledger of runs has the run end with it. */
  readonly settle?: (client: pg.ClientBase, counts: BatchCounts) => Promise<void>
}

/** What a pass has done. */
export interface BatchCounts {
  /** Records of the archive that were read. */
  readonly records: number
  /** Minutes of silver that are another than before. */
  readonly minutes: number
  /** Candles of gold that are another than before. */
  readonly candles: number
  /** Hours of which no gold was made, because the quality of their minutes forbids it. */
  readonly blocked: number
  /** Tables of the lake that have a new commit. */
  readonly commits: number
}

const attempts = 3
/** One pass of a schema at a time. */
const lockText = `SELECT pg_advisory_xact_lock(hashtextextended('millrace.batch ' || current_schema(), 0))`

/**
 * One pass over what has changed: bronze is read from the archive, and then silver, gold and the lake are made in one transaction. Readers see all of it or what was before; a pass that is killed anywhere
 * leaves what was before, or is done.
 *
 * Changed is what writers have said to be, in their own transactions (`dirty_window`, `dirty_day`), so nothing that is committed meanwhile is passed over, whenever it happened.
 * @throws RetryableError while the database or a store is away; what the quality boundary throws
 */
export async function batchPass(job: BatchJob, run: BatchRun): Promise<BatchCounts> {
  const { address, schema } = run.database
  const pool = openPool(address, { schema, applicationName: 'millrace batch', maxConnections: 2 })
  const doing = <T>(act: (client: pg.ClientBase) => Promise<T>) => withClient(pool, 'run a batch pass', {}, act)
  try {
    if (job.isFull === true) {
      await doing(async (client) => {
        await forgetArchive(client)
        await dirtyEverything(client)
      })
    }
    const { archive, trades } = job
    const records =
      archive === null ? 0 : await readArchive({ pool, address, schema, store: archive, trades, signal: run.signal })
    for (let attempt = 1; ; attempt += 1) {
      run.signal.throwIfAborted()
      try {
        return await doing((client) => whileWriting(client, () => layers(client, job, run, records)))
      } catch (error) {
        if (!(error instanceof LakeConflict) || attempt === attempts) throw error
      }
    }
  } finally {
    await pool.end()
  }
}

/** Silver, gold and the lake, in one transaction. */
async function layers(
  client: pg.ClientBase,
  job: BatchJob,
  { runId, settle }: BatchRun,
  records: number,
): Promise<BatchCounts> {
  const { lake, quality, clock = systemClock } = job
  const now = clock.now()
  if (lake !== null) await ownLake(client, lake)
  await client.query('BEGIN')
  try {
    await client.query(lockText)
    const changed = await mergeSilver(client, await takeDirtyWindows(client))
    const blocked = quality === undefined ? [] : await quality(client, await hoursOf(client, changed), { runId, now })
    const candles = await makeGold(client, changed, blocked)
    const commits: readonly PreparedCommit[] = lake === null ? [] : await mirrorChanges(client, lake, now)
    const minutes = changed.reduce((sum, day) => sum + day.minutes, 0)
    const counts = { records, minutes, candles, blocked: blocked.length, commits: commits.length }
    await settle?.(client, counts)
    await client.query('COMMIT')
    for (const commit of commits) await commit.publish()
    return counts
  } catch (error) {
    // What went wrong before is what is told; a connection that is lost has rolled back by itself.
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}
