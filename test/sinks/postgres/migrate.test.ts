import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import { escapeText } from '../../../src/sinks/postgres/columnText.ts'
import { openPool, quoteIdentifier } from '../../../src/sinks/postgres/connection.ts'
import { asMillraceError } from '../../../src/sinks/postgres/errors.ts'
import { migrate, readMigrations } from '../../../src/sinks/postgres/migrate.ts'
import { databaseUrl } from '../../support/databaseUrl.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

describe('migrate', () => {
  let db: TestDatabase
  const made: string[] = []

  beforeAll(async () => {
    db = await testDatabase({ isMigrated: false })
  })

  afterAll(async () => {
    for (const schema of made) await db.pool.query(`DROP SCHEMA ${quoteIdentifier(schema)} CASCADE`)
    await db.close()
  })

  const freshSchema = (name: string) => {
    const schema = `${db.schema}_${name}`
    made.push(schema)
    return schema
  }

  const tablesOf = async (schema: string) => {
    const { rows } = await db.pool.query<{ name: string }>(
      'SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 ORDER BY 1',
      [schema],
    )
    return rows.map((row) => row.name)
  }

  it('makes the schema with every table, and doing it again changes nothing', async () => {
    const schema = freshSchema('Again "quoted"')
    const all = readMigrations().map((migration) => migration.name)
    expect(await migrate(db.pool, schema)).toEqual(all)
    expect(await migrate(db.pool, schema)).toEqual([])
    const tables = await tablesOf(schema)
    for (const table of ['migration', 'stream_task', 'task_state', 'dead_letter', 'archive_object', 'idle_advance']) {
      expect(tables).toContain(table)
    }
    for (const interval of ['1m', '5m', '15m', '1h', '4h', '1d']) {
      expect(tables).toContain(`fact_realtime_trades_${interval}`)
    }
  })

  it('may take longer than a statement may otherwise, whoever says how long that is', async () => {
    const schema = freshSchema('slow')
    const slow = { number: 1, name: '0001_slow.sql', sql: 'SELECT pg_sleep(1.5)', sha256: 'slow' }
    const address = {
      connectionString: `${databaseUrl(db.connection)}?options=-c%20statement_timeout%3D1000%20-c%20lock_timeout%3D1`,
    }
    const pool = openPool(address, { schema, statementTimeoutMs: 1_000 })
    try {
      const [first] = readMigrations()
      expect(await migrate(pool, schema, [first!, slow])).toEqual([first!.name, slow.name])
    } finally {
      await pool.end()
    }
  })

  it('waits for a lock, and lets go with what to do where it is not given up', async () => {
    expect(
      asMillraceError(
        Object.assign(new Error('canceling statement due to lock timeout'), { code: '55P03' }),
        'migrate',
      ),
    ).toMatchObject({
      code: 'MILLRACE_RETRYABLE',
      message: expect.stringContaining('another session keeps a lock on the table'),
    })
  })

  it('lets any number of processes start at once', async () => {
    const schema = freshSchema('together')
    const results = await Promise.all([1, 2, 3, 4].map(() => migrate(db.pool, schema)))
    expect(results.flat().sort()).toEqual(readMigrations().map((migration) => migration.name))
  })

  it('refuses to drop messages of the way to Kafka of before, says what to do, and goes on once they are gone', async () => {
    const schema = freshSchema('kafka_outbox')
    const before = readMigrations().filter(({ number }) => number < 10)
    await migrate(db.pool, schema, before)
    const table = `${quoteIdentifier(schema)}.kafka_outbox`
    await db.pool.query(`INSERT INTO ${table} (topic, event_time) VALUES ('alerts', 1), ('alerts', 2)`)
    const refused = migrate(db.pool, schema)
    await expect(refused).rejects.toBeInstanceOf(ConfigurationError)
    await expect(refused).rejects.toThrow(/2 messages in kafka_outbox are not sent yet.*Run the release before/)
    expect(await tablesOf(schema)).toContain('kafka_outbox')
    await db.pool.query(`DELETE FROM ${table}`)
    await migrate(db.pool, schema)
    expect(await tablesOf(schema)).not.toContain('kafka_outbox')
  })

  it('refuses a migration that was changed after it was applied, and names it', async () => {
    const schema = freshSchema('changed')
    await migrate(db.pool, schema)
    const changed = readMigrations().map((migration) =>
      migration.number === 1 ? { ...migration, sha256: 'f'.repeat(64) } : migration,
    )
    const error = await migrate(db.pool, schema, changed).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(String(error)).toContain('0001_runtime.sql was changed after it was applied')
  })

  it('refuses a schema that a newer version has migrated', async () => {
    const schema = freshSchema('newer')
    await migrate(db.pool, schema)
    const error = await migrate(db.pool, schema, readMigrations().slice(0, -1)).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(String(error)).toContain('newer version')
  })

  it('keeps the keys of dead letters that were stored as text, as the bytes that they were made of', async () => {
    const schema = freshSchema('letters')
    const older = readMigrations().filter((migration) => migration.number <= 5)
    await migrate(db.pool, schema, older)
    const keys = ['BTCUSDT', null, '', 'é\u{1F600}', 'a\0b', '\u241b', '\u241b0000', '\u241b241b\0', '\0\0)\t']
    for (const [offset, key] of keys.entries()) {
      await db.pool.query(
        `INSERT INTO ${quoteIdentifier(schema)}.dead_letter
           (pipeline, topic, partition, "offset", operator, ordinal, reason, detail, key)
         VALUES ('p', 't', 0, $1, 'o', 0, 'r', 'd', $2)`,
        [offset, key === null ? null : escapeText(key)],
      )
    }
    await migrate(db.pool, schema)
    const { rows } = await db.pool.query<{ key: Buffer | null; headers: unknown }>(
      `SELECT key, headers FROM ${quoteIdentifier(schema)}.dead_letter ORDER BY "offset"`,
    )
    expect(rows.map(({ key }) => key?.toString() ?? null)).toEqual(keys)
    expect(rows.map(({ headers }) => headers)).toEqual(keys.map(() => []))
  })

  it('leaves nothing of a migration that fails', async () => {
    const schema = freshSchema('failing')
    const broken = [
      ...readMigrations(),
      { number: 9999, name: '9999_broken.sql', sql: 'CREATE TABLE half (x integer); SELECT nonsense', sha256: 'x' },
    ]
    await expect(migrate(db.pool, schema, broken)).rejects.toThrow(/9999_broken.sql/)
    expect(await tablesOf(schema)).not.toContain('half')
  })
})
