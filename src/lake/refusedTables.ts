import pg from 'pg'
import { BadRowError } from '../runtime/badRow.ts'

/** A table that the lake could not take as it is. */
export interface RefusedTable {
  /** In PostgreSQL, without its schema. */
  readonly table: string
  /** In the lake, with its namespace. */
  readonly lakeName: string
  readonly reason: string
}

/** SQLSTATE classes of what is wrong with values, and with names and types: one table's own fault. */
const ownFault = /^(22|42)/

/** Why the lake cannot have this table. Throws an error that is nobody's rows' fault, such as of a store that is away. */
export function refusalOf(error: unknown): string {
  if (error instanceof BadRowError) return error.message
  if (error instanceof pg.DatabaseError && ownFault.test(error.code ?? '')) return error.message
  throw error
}

const noteAgain = `INSERT INTO dirty_day (table_name, day) SELECT $1, date '1970-01-01' + day FROM unnest($2::integer[]) AS day`

const refuse = `
WITH known AS (SELECT refused FROM lake_mirror WHERE table_name = $1)
UPDATE lake_mirror SET refused = $2 FROM known WHERE table_name = $1
RETURNING known.refused IS NULL AS "isNew"`

/**
 * Leaves the table in the lake as it is: its days still count as changed, so that the next pass tries again. True where it is not known of a pass before.
 * @param days since 1970, UTC; null for the whole of a table that is not cut
 */
export async function refuseTable(
  client: pg.ClientBase,
  { table, reason }: RefusedTable,
  days: Iterable<number | null>,
): Promise<boolean> {
  await client.query(noteAgain, [table, [...days]])
  const { rows } = await client.query<{ isNew: boolean }>(refuse, [table, reason])
  return rows[0]?.isNew === true
}

const accept = 'UPDATE lake_mirror SET refused = NULL WHERE table_name = $1'

/** The lake has the table as it is again. */
export async function acceptTable(client: pg.ClientBase, table: string): Promise<void> {
  await client.query(accept, [table])
}

const refusedNow = `SELECT table_name AS "table", lake_name AS "lakeName", refused AS reason FROM lake_mirror WHERE refused IS NOT NULL ORDER BY lake_name`

/** Tables that the last pass has left as they were in the lake, and why. */
export async function readRefusedTables(client: pg.ClientBase): Promise<readonly RefusedTable[]> {
  return (await client.query<RefusedTable>(refusedNow)).rows
}

/** A sentence for whoever has to look at it. */
export function refusedText({ table, lakeName, reason }: RefusedTable): string {
  return `The table ${lakeName} of the lake stays as it was, for it cannot have ${table} as it is: ${reason}. Mend the rows, and the next pass brings them.`
}
