import type pg from 'pg'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { Table } from '../../runtime/store/table.ts'
import { quoteIdentifier } from './connection.ts'
import { asMillraceError } from './errors.ts'
import { type FoundSchema, readSchema } from './foundTables.ts'
import { checkName, distinctTables } from './tableDescriptor.ts'
import { type Difference, differencesOf, isWithoutOwners } from './tableFit.ts'
import { addOwner, createTable } from './tableStatements.ts'

/**
 * Makes the tables of the descriptors that are missing, all of them or none, and gives their names. Any number of processes may do so at once.
 *
 * A table that exists is looked at and touched in one way only: an upsert table without the column `row_owner` is given it, where the user owns the table. It fits when every column of the descriptor is there with a type that holds its values as they
 * are, when the natural key is its primary key or has a unique index that is neither partial nor deferrable, and when its other columns need no
 * value. An ordinary or a partitioned table fits, a view or a foreign table does not.
 * @param db connections to the database, or one connection that is in no transaction
 * @throws ConfigurationError that lists every difference of every table and then, after an empty line, the SQL that mends them; also on
 * descriptors that are not well formed, or that describe one table in two ways
 */
export async function ensureTables(
  db: pg.Pool | pg.ClientBase,
  schema: string,
  tables: readonly Table<never>[],
): Promise<readonly string[]> {
  checkName('schema', schema)
  const wanted = distinctTables(tables)
  try {
    const { missing, withoutOwners } = await lackingTables(db, schema, wanted)
    if (missing.length + withoutOwners.length === 0) return []
    if (!isPool(db)) return await makeMissing(db, schema, wanted)
    const client = await db.connect()
    try {
      const made = await makeMissing(client, schema, wanted)
      client.release()
      return made
    } catch (error) {
      client.release(true)
      throw error
    }
  } catch (error) {
    throw asMillraceError(error, `make the tables of schema ${schema}`)
  }
}

async function makeMissing(
  client: pg.ClientBase,
  schema: string,
  wanted: readonly Table<never>[],
): Promise<readonly string[]> {
  // What another process has made is seen by the first statement after the lock.
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
  try {
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`millrace tables ${schema}`])
    const { missing, withoutOwners } = await lackingTables(client, schema, wanted)
    if (withoutOwners.length > 0) await client.query("SET LOCAL lock_timeout = '5s'")
    for (const table of withoutOwners) await client.query(addOwner(schema, table.name))
    for (const table of missing) await client.query(createTable(schema, table))
    await client.query('COMMIT')
    return missing.map((table) => table.name)
  } catch (error) {
    // Where this fails as well, the connection is lost, and the first error says so.
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

interface LackingTables {
  /** The tables to make. */
  readonly missing: readonly Table<never>[]
  /** Those that get the column of their rows' owners. */
  readonly withoutOwners: readonly Table<never>[]
}

/** Throws where a table that exists does not fit, or where one may not be made. */
async function lackingTables(
  db: pg.Pool | pg.ClientBase,
  schemaName: string,
  wanted: readonly Table<never>[],
): Promise<LackingTables> {
  const schema = await readSchema(
    db,
    schemaName,
    wanted.map((table) => table.name),
  )
  const differences = schemaDifferences(schemaName, schema)
  for (const table of schema.exists ? wanted : []) {
    for (const { words, statements } of differencesOf(schemaName, schema, table)) {
      differences.push({ words: `table ${table.name}: ${words}`, statements })
    }
  }
  if (differences.length > 0) throw misfit(schemaName, schema, differences)
  return {
    missing: wanted.filter((table) => !schema.tables.has(table.name)),
    withoutOwners: wanted.filter((table) => isWithoutOwners(schema, table)),
  }
}

function schemaDifferences(name: string, { exists, mayUse, user }: FoundSchema): Difference[] {
  const quoted = quoteIdentifier(name)
  if (!exists) return [{ words: 'the schema does not exist', statements: [`CREATE SCHEMA ${quoted};`] }]
  if (mayUse) return []
  const statements = [`GRANT USAGE ON SCHEMA ${quoted} TO ${quoteIdentifier(user)};`]
  return [{ words: `user ${user} has no right to use the schema`, statements }]
}

function misfit(schemaName: string, { database }: FoundSchema, differences: readonly Difference[]): ConfigurationError {
  // Two differences may need the same statement first.
  const statements = new Set(differences.flatMap((one) => one.statements))
  return new ConfigurationError(
    [
      `schema ${schemaName} of database ${database} does not have the tables that the pipeline writes:`,
      ...differences.map(({ words }) => `- ${words}`),
      'Nothing was changed. Change the descriptors, or run this as the owner of the tables (`npx millrace sql`, with it in single quotes) and start again:',
      '',
      ...statements,
    ].join('\n'),
  )
}

/** Also a pool of another copy of pg. */
function isPool(db: pg.Pool | pg.ClientBase): db is pg.Pool {
  return 'totalCount' in db
}
