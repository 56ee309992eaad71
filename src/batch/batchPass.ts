import type pg from 'pg'
import { type ExpireOptions, expireLake, hasSnapshotsBefore } from '../lake/lakeCleanup.ts'
import { LakeConflict, type LakePlace } from '../lake/lakeCommit.ts'
import { whileWriting } from '../lake/lakeLock.ts'
import { dirtyMirrors } from '../lake/lakeMirror.ts'
import { ownLake } from '../lake/lakeOwner.ts'
import { MirroredDays, type MirroredTables } from '../lake/mirroredDays.ts'
import { refusedText } from '../lake/refusedTables.ts'
import type { MarketEvent } from '../market/trade.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import type { Codec } from '../runtime/log/codec.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { openPool, type PostgresAddress } from '../sinks/postgres/connection.ts'
import { withClient } from '../sinks/postgres/withClient.ts'
import type { QualityBoundary } from './batchWindow.ts'
import { blockedText } from './blockedHours.ts'
import { archivist, checkArchive, forgetArchive, readArchive } from './bronze.ts'
import { tradesToLake } from './bronzeTrades.ts'
import { CopiedRooms } from './copiedRooms.ts'
import { daysAtOnce, type Part, partsOf } from './day.ts'
import { GoldMaker } from './gold.ts'
import { dirtyEverything, takeDirtyWindows } from './silver.ts'
import { SilverJudge } from './silverJudge.ts'
import { silverAtHand, silverTable } from './silverMinutes.ts'

/** What a pass makes, and of what. */
export interface BatchJob {
  /** Makes trades of the archive's bytes. */
  readonly trades: Codec<MarketEvent>
  /** Where the archive is; null where none is read, and silver is made of klines alone. */
  readonly archive: ObjectStore | null
  /** Where the lake is; null for none. */
  readonly lake: LakePlace | null
  /** Which snapshots of the lake stay; with a commit those that are older are let go of, every hour. All stay where it is left out. */
  readonly keep?: Pick<ExpireOptions, 'keepSnapshots' | 'keepMs'>
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
  /** Called before that, in the same transaction, with a sentence of hours that are blocked from this pass on, or of a table that the lake cannot have: once for each time that they become so. */
  readonly tell?: (client: pg.ClientBase, text: string) => Promise<void>
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
  /** New commits of tables of the lake. */
  readonly commits: number
  /** Tables that have changed and that the lake cannot have as they are, so that it has them as they were. */
  readonly refused: number
}

const attempts = 3
const hourMs = 3_600_000
const noTables: MirroredTables = { commits: [], refused: [], refusedBefore: 0 }
const nothing: Part = { days: [], windows: [] }
/** While files are uploaded, the transaction does nothing. */
const patience = `SET LOCAL idle_in_transaction_session_timeout = '10min'`
const askAgainMs = 250
const lock = `hashtextextended('millrace.batch ' || current_schema(), 0)`

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
    return await doing((client) => alone(client, run.signal, () => onePass(client, pool, job, run)))
  } finally {
    await pool.end()
  }
}

async function onePass(client: pg.ClientBase, pool: pg.Pool, job: BatchJob, run: BatchRun): Promise<BatchCounts> {
  const { archive, trades } = job
  const { address, schema } = run.database
  if (job.isFull === true) {
    // What no archive is read for would not come back, nor what is made of one that cannot be read.
    if (archive !== null) {
      await checkArchive(pool, archive, run.signal)
      await forgetArchive(client)
    }
    await dirtyEverything(client)
  }
  const records =
    archive === null ? 0 : await readArchive({ pool, address, schema, store: archive, trades, signal: run.signal })
  for (let attempt = 1; ; attempt += 1) {
    run.signal.throwIfAborted()
    try {
      const counts = await whileWriting(client, async () => {
        const bronze = await bronzeCommits(client, job, run.signal)
        return layers(client, job, run, { records, bronze })
      })
      if (counts.commits > 0) await letGo(client, job)
      return counts
    } catch (error) {
      if (!(error instanceof LakeConflict) || attempt === attempts) throw error
    }
  }
}

/**
 * One pass of a schema at a time, from its first step: one that is to make everything anew takes minutes away that another would miss. Whoever waits asks again and again, for a statement
 * that waits for long would be given up.
 */
async function alone<T>(client: pg.ClientBase, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  for (;;) {
    const { rows } = await client.query<{ isOurs: boolean }>(`SELECT pg_try_advisory_lock(${lock}) AS "isOurs"`)
    if (rows[0]?.isOurs === true) break
    await systemClock.sleep(askAgainMs, signal)
    signal.throwIfAborted()
  }
  try {
    return await act()
  } finally {
    await client.query(`SELECT pg_advisory_unlock(${lock})`)
  }
}

/** The trades themselves come into the lake by commits of their own: an archive may be larger than one transaction should be. */
async function bronzeCommits(
  client: pg.ClientBase,
  { lake, archive: store, trades, clock = systemClock }: BatchJob,
  signal: AbortSignal,
): Promise<number> {
  if (lake !== null) await ownLake(client, lake)
  if (lake === null || store === null) return 0
  return tradesToLake(client, { archivist, store, lake, trades, now: clock.now(), signal })
}

/** Silver, gold and the lake, in one transaction. */
async function layers(
  client: pg.ClientBase,
  job: BatchJob,
  run: BatchRun,
  { records, bronze }: { readonly records: number; readonly bronze: number },
): Promise<BatchCounts> {
  const { lake, quality, isFull = false, clock = systemClock } = job
  const now = clock.now()
  await client.query('BEGIN')
  try {
    await client.query(patience)
    const parts = partsOf(await takeDirtyWindows(client), daysAtOnce)
    const mirrors = lake === null ? null : new MirroredDays(client, lake)
    const rooms = new CopiedRooms()
    const gold = new GoldMaker(client, rooms)
    const judge = new SilverJudge(client, {
      ...{ parts, quality, isFull, run: { runId: run.runId, now } },
      reading: async (days) =>
        mirrors?.expect(
          silverTable,
          days.map(({ day }) => day),
        ),
    })
    if (lake !== null && isFull) await dirtyMirrors(client)
    // Without any there may be hours to judge again.
    for (const part of parts.length === 0 ? [nothing] : parts) {
      const rows = await rooms.take()
      const { days, copied } = await judge.judge(part, rows, () => gold.store())
      await gold.make(days, copied)
      // Of the days after these all is stored.
      const newest = part.days[0]
      if (newest !== undefined) await mirrors?.make(newest.day)
      if (copied !== null) mirrors?.hold(silverAtHand(copied), rooms.share(rows))
      rooms.give(rows)
    }
    await gold.store()
    await mirrors?.make()
    const { commits, refused, refusedBefore } = (await mirrors?.commit(now)) ?? noTables
    const { minutes, blocked, held } = judge
    const counts = {
      ...{ records, minutes, candles: gold.changed, blocked: blocked.length },
      commits: bronze + commits.length,
      refused: refused.length + refusedBefore,
    }
    for (const one of refused) await run.tell?.(client, refusedText(one))
    if (held.length > 0) await run.tell?.(client, await blockedText(client, held, run.runId))
    await run.settle?.(client, counts)
    await client.query('COMMIT')
    for (const commit of commits) await commit.publish()
    return counts
  } catch (error) {
    // What went wrong before is what is told; a connection that is lost has rolled back by itself.
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

/** Each commit names all snapshots that are kept, so those of a pass every five minutes would soon be most of what it writes. */
async function letGo(client: pg.ClientBase, { lake, keep, clock = systemClock }: BatchJob): Promise<void> {
  if (lake === null || keep === undefined) return
  const now = clock.now()
  const isTime = await hasSnapshotsBefore(client, now - keep.keepMs - hourMs, keep.keepSnapshots)
  if (isTime) await expireLake(client, lake, { ...keep, now })
}
