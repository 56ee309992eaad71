import type pg from 'pg'
import { type DataFile, dataFiles } from './dataFile.ts'
import { LakeConflict, type LakePlace, prepareCommit, readCommitted } from './lakeCommit.ts'
import { readLiveFiles, readTable } from './lakeFacts.ts'
import { whileWriting } from './lakeLock.ts'
import { ownLake } from './lakeOwner.ts'
import { fullName, type LakeRow, type LakeTable } from './lakeTable.ts'

/** Rows for a table of the lake. */
export interface LakeWrite {
  /** Made at its first commit. */
  readonly table: LakeTable
  /** In any order; files keep it. */
  readonly rows: readonly LakeRow[]
  /**
   * `append` adds the rows. `replace-days` makes them all that there is of their days, and of the `days` besides: a correction of one row is its day, written again. `replace` makes
   * them all that there is.
   */
  readonly mode: 'append' | 'replace-days' | 'replace'
  /** Midnights (ms UTC) of further days that are replaced, where no row may be left of one. */
  readonly days?: readonly number[]
}

/** What a write has made. */
export interface LakeWritten {
  /** Counts the commits of the table from 1. */
  readonly sequence: number
  /** Where the table's metadata is. */
  readonly metadata: string
}

const attempts = 5
const dayMs = 86_400_000

/**
 * Writes rows in one commit, with a transaction of its own: readers see all of it or nothing. Another commit of the table at the same time is no matter, this one is then made again on top of it.
 *
 * Gives null where the table is like that already. Holds the rows and their files. A crash before the end leaves the table as it was; files without a row in the database are swept (`millrace lake sweep`).
 * @param at the time of the commit, ms UTC
 * @throws BadRowError where a row does not fit the table
 * @throws ConfigurationError where the descriptor does not fit the table
 * @throws RetryableError where the store or the database cannot be reached
 */
export async function writeLake(
  client: pg.ClientBase,
  place: LakePlace,
  write: LakeWrite,
  at: number,
): Promise<LakeWritten | null> {
  const added = dataFiles(write.table, write.rows)
  await ownLake(client, place)
  const days = new Set([...added.map(({ day }) => day), ...(write.days ?? []).map((ms) => Math.floor(ms / dayMs))])
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await whileWriting(client, () => commitOnce(client, place, write, added, days, at))
    } catch (error) {
      if (!(error instanceof LakeConflict) || attempt === attempts) throw error
    }
  }
}

async function commitOnce(
  client: pg.ClientBase,
  place: LakePlace,
  write: LakeWrite,
  added: readonly DataFile[],
  days: ReadonlySet<number | null>,
  at: number,
): Promise<LakeWritten | null> {
  const removed = await removedBy(client, write, days)
  const commit = await prepareCommit(
    await readCommitted(client, write.table),
    place,
    write.table,
    { added, removed },
    at,
  )
  if (commit === null) return null
  await client.query('BEGIN')
  try {
    await commit.apply(client)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
  await commit.publish()
  return { sequence: commit.sequence, metadata: commit.metadata }
}

async function removedBy(
  client: pg.ClientBase,
  { table, mode }: LakeWrite,
  days: ReadonlySet<number | null>,
): Promise<readonly string[]> {
  const name = fullName(table)
  if (mode === 'append' || (await readTable(client, name)) === null) return []
  const files = await readLiveFiles(client, name)
  return files.filter(({ day }) => mode === 'replace' || days.has(day)).map(({ path }) => path)
}
