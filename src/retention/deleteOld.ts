import type pg from 'pg'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { type Keep, type KeepKind, keepKinds } from './keepKinds.ts'

/** Of one table, so that locks are held for a moment only. */
const rowsPerStep = 5_000

/** What was deleted of a kind, or what would be. */
export interface OldRows {
  readonly kind: string
  readonly rows: number
}

/** The tasks that write the table, for a row whose own task is not known. */
const lowest = (table: string) =>
  `(SELECT min(s.watermark) FROM stream_task AS s JOIN row_writer AS w ON w.pipeline = s.pipeline AND w.topic = s.topic WHERE w.table_name = '${table}')`

/** @param keep where the parameter with ms is */
function old({ table, time, age, mayGo }: KeepKind, keep: string): string {
  const now = 'extract(epoch FROM now()) * 1000'
  if (age === 'clock')
    return `FROM ${quoteIdentifier(table)} AS r WHERE ${time} < to_timestamp((${now} - ${keep}) / 1000) AND ${mayGo}`
  return `FROM ${quoteIdentifier(table)} AS r
  LEFT JOIN row_owner AS o ON o.id = r.row_owner
  LEFT JOIN stream_task AS t ON (t.pipeline, t.topic, t.partition) = (o.pipeline, o.topic, o.partition)
  WHERE ${time} < to_timestamp((CASE WHEN t.pipeline IS NULL THEN ${lowest(table)} ELSE t.watermark END - ${keep}) / 1000)
    AND ${time} < to_timestamp((${now} - ${keep}) / 1000) AND ${mayGo}`
}

/** Two that delete at once take different rows. */
const step = (kind: KeepKind) => `
WITH old AS (SELECT r.ctid AS place, ${kind.time} AS at ${old(kind, '$2::float8')} LIMIT ${rowsPerStep} FOR UPDATE OF r SKIP LOCKED),
gone AS (DELETE FROM ${quoteIdentifier(kind.table)} AS r USING old WHERE r.ctid = old.place RETURNING old.at)
INSERT INTO retention AS known (kind, keep_ms, ran_at, deleted_rows, deleted_until)
SELECT $1, $2::float8, now(), count(*), max(at) FROM gone
ON CONFLICT (kind) DO UPDATE SET keep_ms = excluded.keep_ms, ran_at = excluded.ran_at,
  deleted_rows = known.deleted_rows + excluded.deleted_rows, deleted_until = greatest(known.deleted_until, excluded.deleted_until)
RETURNING (SELECT count(*) FROM gone)::float8 AS rows`

const there = 'SELECT to_regclass(quote_ident($1)) IS NOT NULL AS found'

/**
 * Deletes what is older than it is to be kept, in steps of a few thousand rows, each a transaction of its own. Any number of processes may do so at once, and again: what is gone is gone. Stops between two steps where the signal fires.
 * @returns what went, by kind
 */
export async function deleteOld(pool: pg.Pool, keep: Keep, signal: AbortSignal): Promise<readonly OldRows[]> {
  const deleted: OldRows[] = []
  for (const [kind, keepMs] of keep) {
    let rows = 0
    for (const one of keepKinds.get(kind) ?? []) {
      if (!(await exists(pool, one))) continue
      for (let went = rowsPerStep; went === rowsPerStep && !signal.aborted; rows += went) {
        const { rows: told } = await pool.query<{ rows: number }>(step(one), [kind, keepMs])
        went = told[0]?.rows ?? 0
      }
    }
    deleted.push({ kind, rows })
  }
  return deleted
}

/** Counts what is older than it is to be kept, and deletes nothing. */
export async function countOld(client: pg.Pool | pg.ClientBase, keep: Keep): Promise<readonly OldRows[]> {
  const counted: OldRows[] = []
  for (const [kind, keepMs] of keep) {
    let rows = 0
    for (const one of keepKinds.get(kind) ?? []) {
      if (!(await exists(client, one))) continue
      const { rows: found } = await client.query<{ rows: number }>(
        `SELECT count(*)::float8 AS rows ${old(one, '$1::float8')}`,
        [keepMs],
      )
      rows += found[0]?.rows ?? 0
    }
    counted.push({ kind, rows })
  }
  return counted
}

async function exists(client: pg.Pool | pg.ClientBase, { table }: KeepKind): Promise<boolean> {
  return (await client.query<{ found: boolean }>(there, [table])).rows[0]?.found === true
}
