import type pg from 'pg'
import type { Table } from '../../src/runtime/store/table.ts'
import type { Random } from '../../src/testing/random.ts'
import { timeColumn } from '../../src/verify/comparedTable.ts'
import type { Difference } from '../../src/verify/difference.ts'

/** A difference as it should be told, and of which time its row is, ms UTC; null where it has none. */
export interface Planted {
  readonly said: string
  readonly time: number | null
}

/** A difference in a line. */
export const said = ({ kind, table, row, columns }: Difference) =>
  `${kind} ${table} ${row} ${Object.keys(columns).join()}`

interface Found {
  readonly ctid: string
  readonly row: string
  readonly time: number | null
}

/** The same value in other bytes, or another one. */
const changes: Readonly<Record<string, string>> = {
  numeric: `(%::text || '0')::numeric`,
  bigint: '% + 1',
  integer: '% + 1',
  jsonb: `jsonb_set(%, '{a}', '[1.50, null]')`,
  'double precision': `coalesce(% * 2 + 1, 0)`,
  boolean: 'NOT %',
}

/** Plants so many differences into the tables and the dead letters of a pipeline, each in a row of its own. */
export async function plantDifferences(
  pool: pg.Pool,
  random: Random,
  tables: readonly Table<never>[],
  count: number,
): Promise<readonly Planted[]> {
  const client = await pool.connect()
  const planted: Planted[] = []
  try {
    await client.query(`SET TIME ZONE 'UTC'`)
    const left = new Map<string, Found[]>()
    for (const table of tables) left.set(table.name, await rowsOf(client, table))
    left.set('dead_letter', await lettersOf(client))
    const take = (name: string): Found | undefined => {
      const rows = left.get(name) as Found[]
      return rows.splice(random.int(0, Math.max(0, rows.length - 1)), 1)[0]
    }
    while (planted.length < count) {
      const name = [...left.keys()][random.int(0, left.size - 1)] as string
      const table = tables.find((one) => one.name === name)
      const row = take(name)
      if (row === undefined) continue
      if (table === undefined) planted.push(await inLetter(client, random, row))
      else if (table.mode === 'append') planted.push(...(await inAppended(client, random, table, row)))
      else planted.push(await inUpserted(client, random, table, row))
    }
  } finally {
    client.release(true)
  }
  return planted
}

async function rowsOf(client: pg.ClientBase, table: Table<never>): Promise<Found[]> {
  const shown = table.mode === 'append' ? table.columns.map(({ name }) => name) : table.key
  const text = shown
    .map(
      (name) =>
        `'${name} ' || coalesce(CASE WHEN "${name}" IS NULL THEN NULL ELSE left("${name}"::text, 100) END, 'NULL')`,
    )
    .join(` || ', ' || `)
  const by = timeColumn(table)
  const { rows } = await client.query<Found>(
    `SELECT ctid::text, ${text} AS row, ${by === null ? 'NULL' : `(extract(epoch FROM "${by}") * 1000)`}::float8 AS time FROM "${table.name}" ORDER BY ctid`,
  )
  // Of equal rows of an append table one says nothing of which.
  const counts = Map.groupBy(rows, ({ row }) => row)
  return rows.filter(({ row }) => counts.get(row)?.length === 1)
}

async function lettersOf(client: pg.ClientBase): Promise<Found[]> {
  const { rows } = await client.query<Found>(
    `SELECT ctid::text, topic || '/' || partition || ' offset ' || lpad("offset"::text, 12) || ', ' || operator || ' ' || ordinal AS row, NULL::float8 AS time FROM dead_letter ORDER BY ctid`,
  )
  return rows
}

async function inUpserted(
  client: pg.ClientBase,
  random: Random,
  table: Table<never>,
  { ctid, row, time }: Found,
): Promise<Planted> {
  const name = `"${table.name}"`
  const key = table.mode === 'upsert' ? table.key : []
  const columns = table.columns.filter((column) => !key.includes(column.name) && changes[column.type] !== undefined)
  const planted = (kind: string, row: string, of = '') => ({ said: `${kind} ${table.name} ${row} ${of}`, time })
  switch (random.int(0, 5)) {
    case 0:
      await client.query(`DELETE FROM ${name} WHERE ctid = $1`, [ctid])
      return planted('missing', row)
    case 1: {
      // With the owner of the row that it is like, or of nobody.
      const owner = random.fraction() < 0.5 ? 'row_owner' : 'NULL'
      const extra = `x${random.next()}`
      const values = table.columns.map((column) => (column.name === 'user' ? '$2' : `"${column.name}"`))
      await client.query(
        `INSERT INTO ${name} (${table.columns.map((column) => `"${column.name}"`).join()}, row_owner) SELECT ${values.join()}, ${owner} FROM ${name} WHERE ctid = $1`,
        [ctid, extra],
      )
      return planted('extra', row.replace(/^user [^,]*/, `user ${extra}`))
    }
    case 2: {
      const { rows } = await client.query<{ id: number }>(
        `INSERT INTO row_owner (pipeline, topic, partition) VALUES ('other', 'web', 0) ON CONFLICT (pipeline, topic, partition) DO UPDATE SET topic = excluded.topic RETURNING id`,
      )
      await client.query(`UPDATE ${name} SET row_owner = $2 WHERE ctid = $1`, [ctid, rows[0]?.id])
      return planted('differs', row, 'row_owner')
    }
    default: {
      const column = columns[random.int(0, columns.length - 1)]!
      const changed = (changes[column.type] as string).replaceAll('%', `"${column.name}"`)
      await client.query(`UPDATE ${name} SET "${column.name}" = ${changed} WHERE ctid = $1`, [ctid])
      return planted('differs', row, column.name)
    }
  }
}

async function inAppended(
  client: pg.ClientBase,
  random: Random,
  { name, columns }: Table<never>,
  { ctid, row, time }: Found,
): Promise<readonly Planted[]> {
  const planted = (kind: string, row: string) => ({ said: `${kind} ${name} ${row} `, time })
  const names = columns.map((column) => `"${column.name}"`).join()
  switch (random.int(0, 2)) {
    case 0:
      await client.query(`DELETE FROM "${name}" WHERE ctid = $1`, [ctid])
      return [planted('missing', row)]
    case 1:
      await client.query(`INSERT INTO "${name}" (${names}) SELECT ${names} FROM "${name}" WHERE ctid = $1`, [ctid])
      return [planted('extra', row)]
    default: {
      const other = `y${random.next()}`
      await client.query(`UPDATE "${name}" SET "user" = $2 WHERE ctid = $1`, [ctid, other])
      return [planted('missing', row), planted('extra', row.replace(/^user [^,]*/, `user ${other}`))]
    }
  }
}

const letterChanges: readonly (readonly [column: string, change: string])[] = [
  ['detail', `detail = detail || '!'`],
  ['reason', `reason = 'other'`],
  ['key', `key = key || '\\x00'::bytea`],
  ['headers', `headers = headers || '[["more", "YQ=="]]'::jsonb`],
]

async function inLetter(client: pg.ClientBase, random: Random, { ctid, row, time }: Found): Promise<Planted> {
  const planted = (kind: string, of = '') => ({ said: `${kind} dead_letter ${row} ${of}`, time })
  const { rows } = await client.query<{ isCut: boolean }>(
    `SELECT cut IS NOT NULL AS "isCut" FROM dead_letter WHERE ctid = $1`,
    [ctid],
  )
  switch (random.int(0, 3)) {
    case 0:
      await client.query(`DELETE FROM dead_letter WHERE ctid = $1`, [ctid])
      return planted('missing')
    case 1:
      if (rows[0]?.isCut === true) {
        await client.query(`UPDATE dead_letter SET cut = jsonb_set(cut, '{payload,bytes}', '7') WHERE ctid = $1`, [
          ctid,
        ])
        return planted('differs', 'payload')
      }
      await client.query(`UPDATE dead_letter SET payload = payload || '\\x00'::bytea WHERE ctid = $1`, [ctid])
      return planted('differs', 'payload')
    case 2:
      if (rows[0]?.isCut === true) {
        await client.query(`UPDATE dead_letter SET payload = '\\x00'::bytea || substr(payload, 2) WHERE ctid = $1`, [
          ctid,
        ])
        return planted('differs', 'payload, its beginning')
      }
      break
    default:
  }
  const [column, change] = letterChanges[random.int(0, letterChanges.length - 1)]!
  await client.query(`UPDATE dead_letter SET ${change} WHERE ctid = $1`, [ctid])
  return planted('differs', column)
}
