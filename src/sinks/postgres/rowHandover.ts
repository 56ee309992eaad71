import type pg from 'pg'
import { ConfigurationError } from '../../runtime/errors.ts'
import { ownerText, type RowOwner } from '../../runtime/store/foreignRows.ts'
import { quoteIdentifier } from './connection.ts'
import { ownerColumn } from './ownerColumn.ts'
import { claimOwnerStatement } from './rowOwners.ts'

/** Tasks: those of a pipeline, of one of its topics, or one. */
export type TasksOf = Pick<RowOwner, 'pipeline'> & Partial<Omit<RowOwner, 'pipeline'>>

/** Who gets rows: a task, tasks of the same topic or partition as those that had them, or no task that is known yet. */
export type NewOwner = TasksOf | 'nobody'

/** The rows of one owner in one table. */
export interface OwnedRows {
  readonly table: string
  readonly owner: RowOwner & { readonly id: number }
  /** Who gets them; null for nobody. */
  readonly to: RowOwner | null
  readonly rows: number
}

const tablesText = `SELECT DISTINCT table_name AS name FROM row_writer WHERE pipeline = $1 ORDER BY name`

const existingText = `SELECT c.relname AS name FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = $1 AND NOT a.attisdropped AND c.relname = ANY ($2)`

const ownersText = `SELECT id, pipeline, topic, partition FROM row_owner WHERE pipeline = $1 AND ($2::text IS NULL OR topic = $2)
AND ($3::integer IS NULL OR partition = $3) ORDER BY topic, partition`

const idText = 'SELECT id FROM row_owner WHERE pipeline = $1 AND topic = $2 AND partition = $3'

/** Of the tasks that rows are to go to: those that stand somewhere, with a state of their own and not that of the task whose rows they are. */
const standingText = `SELECT pipeline, topic, partition, next_offset::float8 AS "nextOffset" FROM stream_task AS task
WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND next_offset IS NOT NULL AND NOT EXISTS (
  SELECT FROM row_owner WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND copy_of = $4)`

const recordText = `INSERT INTO row_handover (table_name, from_pipeline, from_topic, from_partition, to_pipeline, to_topic, to_partition, row_count)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`

const registerText = `INSERT INTO row_writer (table_name, pipeline, topic) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`

/** The tables that the pipeline has been started with. */
export async function tablesOf(client: pg.ClientBase, pipeline: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(tablesText, [pipeline])
  return rows.map(({ name }) => name)
}

/** The tasks of the pipeline, of one of its topics or the one that have written rows, or may. */
export async function ownersOf(
  client: pg.ClientBase,
  pipeline: string,
  topic?: string,
  partition?: number,
): Promise<readonly OwnedRows['owner'][]> {
  const { rows } = await client.query<OwnedRows['owner']>(ownersText, [pipeline, topic ?? null, partition ?? null])
  return rows
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
  const owners = await ownersOf(client, of.pipeline, of.topic, of.partition)
  const owned: OwnedRows[] = []
  for (const table of tables) {
    for (const owner of owners) {
      const { rows } = await client.query<{ rows: number }>(
        `SELECT count(*)::float8 AS rows FROM ${quoteIdentifier(table)} WHERE ${areOf}`,
        ofOwner(table, owner),
      )
      const count = rows[0]?.rows ?? 0
      if (count > 0)
        owned.push({ table, owner, to: to === 'nobody' ? null : { ...placeOf(owner), ...to }, rows: count })
    }
  }
  return owned
}

/** The rows of one owner, also those that it has given away and nobody has taken. */
const areOf = `${quoteIdentifier(ownerColumn)} = $1::integer OR ${quoteIdentifier(ownerColumn)} IN (
  SELECT -id FROM row_handover WHERE table_name = $2 AND from_pipeline = $3 AND from_topic = $4 AND from_partition = $5 AND to_pipeline IS NULL)`

function ofOwner(table: string, { id, pipeline, topic, partition }: OwnedRows['owner']): unknown[] {
  return [id, table, pipeline, topic, partition]
}

/**
 * Those of the new owners that go on with a state in which there is nothing of what the rows were made of: of a row that a window makes they would make their own part.
 */
export async function strangersAmong(
  client: pg.ClientBase,
  owned: readonly OwnedRows[],
): Promise<readonly StandingOwner[]> {
  const found = new Map<string, StandingOwner>()
  for (const { owner, to } of owned) {
    if (to === null) continue
    const values = [to.pipeline, to.topic, to.partition, owner.id]
    const { rows } = await client.query<StandingOwner>(standingText, values)
    for (const one of rows) found.set(ownerText(one), one)
  }
  return [...found.values()]
}

/** A task, and the next offset that it reads. */
export interface StandingOwner extends RowOwner {
  readonly nextOffset: number
}

/**
 * Gives the rows to their new owners and records it. For a transaction of the caller's. A pipeline that runs meanwhile learns of it when it writes such a row the next
 * time.
 *
 * Rows that are given to nobody are for tasks that begin after that, and no other: what those hold that began before lacks what the rows were made of.
 * @param toAnybody true where they are for whoever writes them next, who may make a row of less than it was made of
 * @returns how many rows there were
 */
export async function handOver(client: pg.ClientBase, owned: readonly OwnedRows[], toAnybody = false): Promise<number> {
  let total = 0
  for (const { table, owner, to, rows } of owned) {
    const place = [to?.pipeline ?? null, to?.topic ?? null, to?.partition ?? null]
    const from = [table, owner.pipeline, owner.topic, owner.partition]
    const { rows: recorded } = await client.query<{ id: number }>(recordText, [...from, ...place, rows])
    const id = to === null ? (toAnybody ? null : -recorded[0]!.id) : await idOf(client, to)
    const { rowCount } = await client.query(
      `UPDATE ${quoteIdentifier(table)} SET ${quoteIdentifier(ownerColumn)} = $6::integer WHERE ${areOf}`,
      [...ofOwner(table, owner), id],
    )
    if (to !== null) await client.query(registerText, [table, to.pipeline, to.topic])
    total += rowCount ?? 0
  }
  return total
}

async function idOf(client: pg.ClientBase, to: RowOwner): Promise<number> {
  const known = await client.query<{ id: number }>(idText, [to.pipeline, to.topic, to.partition])
  const [found] =
    known.rows.length > 0 ? known.rows : (await client.query<{ id: number }>(claimOwnerStatement(to))).rows
  return found!.id
}

function placeOf({ pipeline, topic, partition }: RowOwner): RowOwner {
  return { pipeline, topic, partition }
}
