import type pg from 'pg'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { RowOwner } from '../../runtime/foreignRows.ts'
import { quoteIdentifier } from './connection.ts'
import { ownerColumn } from './ownerColumn.ts'
import { claimOwnerStatement } from './rowOwners.ts'

/** Tasks: those of a pipeline, of one of its topics, or one. */
export type TasksOf = Pick<RowOwner, 'pipeline'> & Partial<Omit<RowOwner, 'pipeline'>>

/** Who gets rows: a task, tasks of the same topic or partition as those that had them, or whoever writes them next. */
export type NewOwner = TasksOf | 'nobody'

/** The rows of one owner in one table. */
export interface OwnedRows {
  readonly table: string
  readonly owner: RowOwner & { readonly id: number }
  /** Who gets them; null for whoever writes them next. */
  readonly to: RowOwner | null
  readonly rows: number
}

const tablesText = `SELECT DISTINCT table_name AS name FROM row_writer WHERE pipeline = $1 ORDER BY name`

const existingText = `SELECT c.relname AS name FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = $1 AND NOT a.attisdropped AND c.relname = ANY ($2)`

const ownersText = `SELECT id, pipeline, topic, partition FROM row_owner WHERE pipeline = $1 AND ($2::text IS NULL OR topic = $2)
AND ($3::integer IS NULL OR partition = $3) ORDER BY topic, partition`

const recordText = `INSERT INTO row_handover (table_name, from_pipeline, from_topic, from_partition, to_pipeline, to_topic, to_partition, row_count)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

const registerText = `INSERT INTO row_writer (table_name, pipeline, topic) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`

/** The tables that the pipeline has been started with. */
export async function tablesOf(client: pg.ClientBase, pipeline: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(tablesText, [pipeline])
  return rows.map(({ name }) => name)
}

/**
 * Which rows of the tables belong to the tasks, and whose they would be. Counts every row.
 * @throws ConfigurationError on a table that is not there, or whose rows have no owners
 */
export async function ownedRows(
  client: pg.ClientBase,
  tables: readonly string[],
  of: TasksOf,
  to: NewOwner,
): Promise<readonly OwnedRows[]> {
  const { rows: found } = await client.query<{ name: string }>(existingText, [ownerColumn, tables])
  const missing = tables.find((table) => !found.some(({ name }) => name === table))
  if (missing !== undefined) {
    throw new ConfigurationError(
      `table ${missing} is not there, or has no column ${ownerColumn}: name an upsert table of a pipeline that was started with this release`,
    )
  }
  const { rows: owners } = await client.query<OwnedRows['owner']>(ownersText, [
    of.pipeline,
    of.topic ?? null,
    of.partition ?? null,
  ])
  const owned: OwnedRows[] = []
  for (const table of tables) {
    const { rows } = await client.query<{ id: number; rows: number }>(
      `SELECT ${quoteIdentifier(ownerColumn)} AS id, count(*)::float8 AS rows FROM ${quoteIdentifier(table)}
       WHERE ${quoteIdentifier(ownerColumn)} = ANY ($1) GROUP BY 1`,
      [owners.map(({ id }) => id)],
    )
    for (const owner of owners) {
      const count = rows.find(({ id }) => id === owner.id)?.rows ?? 0
      if (count > 0)
        owned.push({ table, owner, to: to === 'nobody' ? null : { ...placeOf(owner), ...to }, rows: count })
    }
  }
  return owned
}

/**
 * Gives the rows to their new owners and records it. For a transaction of the caller's. A pipeline that runs meanwhile learns of it when it writes such a row the next
 * time.
 * @returns how many rows there were
 */
export async function handOver(client: pg.ClientBase, owned: readonly OwnedRows[]): Promise<number> {
  let total = 0
  for (const { table, owner, to } of owned) {
    const id = to === null ? null : (await client.query<{ id: number }>(claimOwnerStatement(to))).rows[0]!.id
    const column = quoteIdentifier(ownerColumn)
    const { rowCount } = await client.query(
      `UPDATE ${quoteIdentifier(table)} SET ${column} = $1::integer WHERE ${column} = $2::integer`,
      [id, owner.id],
    )
    const place = [to?.pipeline ?? null, to?.topic ?? null, to?.partition ?? null]
    await client.query(recordText, [table, owner.pipeline, owner.topic, owner.partition, ...place, rowCount ?? 0])
    if (to !== null) await client.query(registerText, [table, to.pipeline, to.topic])
    total += rowCount ?? 0
  }
  return total
}

function placeOf({ pipeline, topic, partition }: RowOwner): RowOwner {
  return { pipeline, topic, partition }
}
