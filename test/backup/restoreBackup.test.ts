import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/backup/backupManifest.ts'
import { restoreBackup } from '../../src/backup/restoreBackup.ts'
import { writeBackup } from '../../src/backup/writeBackup.ts'
import type { ObjectStore } from '../../src/runtime/objectStore.ts'
import { directoryStore } from '../../src/sinks/objects/directoryStore.ts'
import { openConnection, quoteIdentifier } from '../../src/sinks/postgres/connection.ts'
import { migrate, readMigrations } from '../../src/sinks/postgres/migrate.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-restore-'))
const opened: TestDatabase[] = []
afterAll(async () => {
  for (const db of opened) await db.close()
  rmSync(folder, { recursive: true, force: true })
})

/** What pipelines and people make in a schema, of every sort that a backup holds. */
const ownTables = `
CREATE TABLE paid (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric NOT NULL, twice numeric GENERATED ALWAYS AS (amount * 2) STORED, tags text[], body bytea, at timestamptz DEFAULT now())
  WITH (fillfactor = 60);
CREATE TABLE part (number serial PRIMARY KEY, of bigint REFERENCES paid (id), note text CHECK (note <> ''));
CREATE TABLE aaa_first (of integer REFERENCES part (number), seen double precision);
CREATE UNIQUE INDEX paid_by_amount ON paid (amount) WHERE amount > 0;
CREATE VIEW zz_dear AS SELECT id, amount FROM paid WHERE amount > 10;
CREATE VIEW aa_dearest AS SELECT max(amount) AS most FROM zz_dear;
INSERT INTO paid (amount, tags, body) VALUES ('NaN', '{}', NULL), (12.50, '{"a,b",NULL}', '\\x00ff'), (1e30, NULL, '');
INSERT INTO part (of, note) VALUES (2, E'tab\\tand\\nline'), (NULL, NULL);
INSERT INTO aaa_first VALUES (1, 'Infinity'), (2, -0.0);
SELECT follow_in_lake('paid', 'at');
DELETE FROM dirty_day;
INSERT INTO row_owner (pipeline, topic, partition) VALUES ('paid', 'orders', 0), ('paid', 'orders', 1);
UPDATE row_owner SET copy_of = 1 WHERE id = 2;
INSERT INTO log_topic VALUES ('orders', 1); INSERT INTO log_partition VALUES ('orders', 0, 3, 9);
INSERT INTO fact_realtime_trades_1m SELECT 'spot', 'AAA', '1m', now(), 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, true, 1`

async function database(own: string = ownTables): Promise<TestDatabase> {
  const db = await testDatabase()
  opened.push(db)
  await db.pool.query(own)
  return db
}

const connect = (db: TestDatabase) =>
  openConnection(db.connection, { schema: db.schema, applicationName: 'millrace test', connectTimeoutMs: 5_000 })

async function backUp(db: TestDatabase, to: ObjectStore, now = 1_700_000_000_000): Promise<string> {
  const client = await connect(db)
  const none = { archive: null, lake: null, keyPrefixOf: () => '' }
  try {
    return (await writeBackup({ client, schemas: [db.schema], version: '1.0.0', now, ...none }, to, () => undefined)).id
  } finally {
    await client.end()
  }
}

async function bringBack(db: TestDatabase, from: ObjectStore, id: string): Promise<void> {
  const client = await connect(db)
  try {
    const target = { client, archive: null, lake: null, keyPrefixOf: () => '' }
    await restoreBackup(from, await readManifest(from, id), target, () => undefined)
  } finally {
    await client.end()
  }
}

/** All that the catalogue says of the schema, and all rows. */
async function wholeOf(db: TestDatabase): Promise<Record<string, unknown>> {
  const list = async (sql: string) => (await db.pool.query(sql)).rows
  const tables = (await list(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = to_regnamespace('${db.schema}') AND relkind IN ('r', 'v') ORDER BY 1`,
  )) as { name: string }[]
  const rows: Record<string, unknown> = {}
  for (const { name } of tables)
    rows[name] = await list(`SELECT t::text AS row FROM ${quoteIdentifier(name)} AS t ORDER BY 1`)
  return {
    rows,
    columns: await list(
      `SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity, identity_generation, generation_expression FROM information_schema.columns WHERE table_schema = '${db.schema}' ORDER BY table_name, column_name`,
    ),
    constraints: await list(
      `SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = to_regnamespace('${db.schema}') ORDER BY conrelid::regclass::text, conname`,
    ),
    indexes: await list(
      `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = '${db.schema}' ORDER BY indexname`,
    ),
    triggers: await list(
      `SELECT tgname, tgenabled, pg_get_triggerdef(t.oid) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid WHERE relnamespace = to_regnamespace('${db.schema}') AND NOT tgisinternal ORDER BY tgrelid::regclass::text, tgname`,
    ),
    storage: await list(
      `SELECT relname, reloptions FROM pg_class WHERE relnamespace = to_regnamespace('${db.schema}') AND relkind = 'r' ORDER BY 1`,
    ),
    sequences: await list(
      `SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = '${db.schema}' ORDER BY 1`,
    ),
  }
}

const empty = (db: TestDatabase) => db.pool.query(`DROP SCHEMA ${quoteIdentifier(db.schema)} CASCADE`)

describe('restoreBackup', () => {
  it('gives back every row, key, index, trigger, view and number that is next', async () => {
    const db = await database()
    const store = directoryStore(join(folder, 'whole'))
    const before = await wholeOf(db)
    const id = await backUp(db, store)
    await empty(db)
    await bringBack(db, store, id)
    expect(await wholeOf(db)).toEqual(before)
    // A number that was given out is not given out again.
    const { rows } = await db.pool.query<{ id: string }>('INSERT INTO paid (amount) VALUES (7) RETURNING id')
    expect(rows).toEqual([{ id: '4' }])
    // What triggers note is noted from now on, and was not for what was restored.
    expect((await db.pool.query('SELECT table_name FROM dirty_day')).rows).toEqual([{ table_name: 'paid' }])
  })

  it('leaves nothing where it fails in the middle', async () => {
    const db = await database()
    const store = directoryStore(join(folder, 'broken'))
    const id = await backUp(db, store)
    const manifest = await readManifest(store, id)
    await empty(db)
    const client = await connect(db)
    const [schema] = manifest.schemas
    const short = schema?.tables.map((table) => (table.name === 'part' ? { ...table, rowCount: 3 } : table)) ?? []
    const target = { client, archive: null, lake: null, keyPrefixOf: () => '' }
    const damaged = { ...manifest, schemas: [{ ...schema!, tables: short }] }
    await expect(restoreBackup(store, damaged, target, () => undefined)).rejects.toThrow(
      'has 2 rows in this backup and had 3',
    )
    await client.end()
    const { rows } = await db.pool.query('SELECT FROM pg_namespace WHERE nspname = $1', [db.schema])
    expect(rows).toEqual([])
  })

  it('brings back what a release before this one wrote, as it was, to be migrated then', async () => {
    const db = await testDatabase({ isMigrated: false })
    opened.push(db)
    const older = readMigrations().slice(0, -1)
    await migrate(db.pool, db.schema, older)
    await db.pool.query("INSERT INTO row_owner (pipeline, topic, partition) VALUES ('old', 'orders', 0)")
    const store = directoryStore(join(folder, 'older'))
    const id = await backUp(db, store)
    await empty(db)
    await bringBack(db, store, id)
    expect(await migrate(db.pool, db.schema)).toEqual(
      readMigrations()
        .slice(-1)
        .map(({ name }) => name),
    )
    expect((await db.pool.query('SELECT pipeline FROM row_owner')).rows).toEqual([{ pipeline: 'old' }])
  })

  it('refuses what a later release wrote', async () => {
    const db = await database()
    const store = directoryStore(join(folder, 'later'))
    await db.pool.query("INSERT INTO migration (number, name, sha256) VALUES (9999, '9999_later.sql', repeat('0', 64))")
    const id = await backUp(db, store)
    await empty(db)
    await expect(bringBack(db, store, id)).rejects.toThrow('9999_later.sql this one does not have')
  })

  it('says what a schema has that no backup holds', async () => {
    const db = await database(
      `CREATE TABLE wide (day date) PARTITION BY RANGE (day); CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one`,
    )
    const store = directoryStore(join(folder, 'left'))
    const manifest = await readManifest(store, await backUp(db, store))
    expect(manifest.schemas[0]?.leftOut).toEqual(['materialized view kept', 'partitioned table wide'])
  })
})

describe('writeBackup', () => {
  it('is of one moment, whatever is committed while it is written', async () => {
    const db = await database('CREATE TABLE aaa (n integer); CREATE TABLE zzz (n integer)')
    const inner = directoryStore(join(folder, 'moment'))
    let writes = 0
    // Between any two pieces both tables get a row more, in one transaction.
    const store: ObjectStore = Object.create(inner, {
      put: {
        value: async (...args: Parameters<ObjectStore['put']>) => {
          writes += 1
          await db.pool.query('WITH a AS (INSERT INTO aaa VALUES (1)) INSERT INTO zzz VALUES (1)')
          return inner.put(...args)
        },
      },
      get: { value: (key: string) => inner.get(key) },
      list: { value: (prefix: string) => inner.list(prefix) },
    })
    const id = await backUp(db, store)
    expect(writes).toBeGreaterThan(5)
    const tables = (await readManifest(inner, id)).schemas[0]?.tables ?? []
    const rowsOf = (name: string) => tables.find((table) => table.name === name)?.rowCount
    expect([rowsOf('aaa'), rowsOf('zzz')]).toEqual([0, 0])
  })

  it('refuses a second one at the same time, and a place of another database', async () => {
    const [db, other] = [await database(), await database()]
    const store = directoryStore(join(folder, 'shared'))
    const client: pg.Client = await connect(db)
    await client.query("SELECT pg_advisory_lock(hashtextextended('millrace backup', 0))")
    await expect(backUp(db, store)).rejects.toThrow('a backup of this database is under way')
    await client.end()
    await backUp(db, store)
    await expect(backUp(other, store, 1_700_000_001_000)).rejects.toThrow('has the backups of another database')
  })
})
