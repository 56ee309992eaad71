import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EmbeddedLog } from '../../src/embedded/log/embeddedLog.ts'
import { type RunPipelineSettings, runPipeline } from '../../src/host/runPipeline.ts'
import type { RunStatus } from '../../src/host/runStatus.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { migrate } from '../../src/sinks/postgres/migrate.ts'
import { listFeed } from '../support/listFeed.ts'
import { lines } from '../support/pipelines/lines.ts'
import { paid } from '../support/pipelines/paid.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-host-'))
  database = await testDatabase({ isMigrated: false })
})
afterAll(async () => {
  await database.close()
  rmSync(folder, { recursive: true, force: true })
})

const events = (count: number) => Array.from({ length: count }, (_, id) => ({ id, amount: id * 10 }))
const fedWith = (count: number) => [
  { feed: listFeed('orders', events(count)), topic: 'orders' },
  { feed: listFeed('payments', events(count)), topic: 'payments' },
]

let schemas = 0
/** A schema of its own in the shared PostgreSQL, which the run has to make. */
function settings(more: RunPipelineSettings = {}): RunPipelineSettings & { readonly schema: string } {
  const { user, password, host, port, database: name } = database.connection
  schemas += 1
  return {
    dataDir: join(folder, `data${schemas}`),
    databaseUrl: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${name}`,
    archive: 'none',
    untilEnd: true,
    schema: `${database.schema}_${schemas}`,
    ...more,
  }
}

async function idsIn(schema: string, table: string): Promise<readonly number[]> {
  const { rows } = await database.pool.query<{ id: number }>(
    `SELECT id FROM ${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)} ORDER BY id`,
  )
  return rows.map(({ id }) => id)
}
const upTo = (count: number) => Array.from({ length: count }, (_, id) => id)

describe('runPipeline', { timeout: 60_000 }, () => {
  test('needs nothing: log, state and rows are in a PostgreSQL of the data folder, and the next run goes on', async () => {
    const own = { dataDir: join(folder, 'embedded'), untilEnd: true } as const
    const first = await runPipeline(paid, { ...own, feed: fedWith(30) })
    expect(first).toEqual({
      end: 'committed',
      records: 60,
      rows: { ordered: 30, paid: 30 },
      messages: {},
      deadLetters: 0,
    })
    const second = await runPipeline(paid, { ...own, feed: fedWith(50) })
    expect(second).toMatchObject({ end: 'committed', records: 40, rows: { ordered: 20, paid: 20 } })
  })

  test('makes schema, topics and tables, and counts each record once however often it is run', async () => {
    const own = settings()
    for (const count of [0, 20, 20, 35]) await runPipeline(paid, { ...own, feed: fedWith(count) })
    expect(await idsIn(own.schema, 'ordered')).toEqual(upTo(35))
    expect(await idsIn(own.schema, 'paid')).toEqual(upTo(35))
  })

  test('a table that does not fit ends it, with the difference and the SQL that mends it', async () => {
    const own = settings()
    await database.pool.query(`CREATE SCHEMA ${own.schema}; CREATE TABLE ${own.schema}.paid (id integer NOT NULL)`)
    const error = await runPipeline(paid, { ...own, feed: fedWith(3) }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(String(error)).toContain('table paid: ')
    const [, sql = ''] = String(error).split('\n\n')
    expect(sql).toContain('ALTER TABLE')
    await database.pool.query(sql)
    expect(await runPipeline(paid, { ...own, feed: fedWith(3) })).toMatchObject({ rows: { ordered: 3, paid: 3 } })
  })

  test('two pipelines run on one data folder at once, and one of them not twice', async () => {
    const own = settings({ untilEnd: false })
    const stopping = new AbortController()
    const { signal } = stopping
    const told = Promise.withResolvers<RunStatus>()
    const running = runPipeline(paid, {
      ...own,
      signal,
      feed: fedWith(10),
      onStatus: (status) => (status.records >= 20 ? told.resolve(status) : undefined),
    })
    const status = await Promise.race([told.promise, running.then(() => null)])
    expect(status?.outlets).toMatchObject([
      { outlet: 'ordered', to: 'ordered', kind: 'rows', count: 10 },
      { outlet: 'paid', count: 10 },
    ])
    const other = await runPipeline(lines, { ...own, untilEnd: true, topic: 'orders' })
    expect(other).toMatchObject({ end: 'committed', records: 10, rows: { lines: 10 } })
    await expect(runPipeline(paid, own)).rejects.toThrow(`process ${process.pid} `)
    stopping.abort()
    expect(await running).toMatchObject({ end: 'stopped', rows: { ordered: 10, paid: 10 } })
  })

  test('a signal that fired before ends it at once, and nothing is left of it', async () => {
    const listeners = process.listenerCount('SIGINT')
    const ended = await runPipeline(paid, settings({ untilEnd: false, signal: AbortSignal.abort() }))
    expect(ended).toMatchObject({ end: 'stopped', records: 0 })
    expect(process.listenerCount('SIGINT')).toBe(listeners)
  })

  test('topics that a pipeline reads side by side have as many partitions as each other', async () => {
    const own = settings()
    const pool = openPool(database.connection, { schema: own.schema })
    await migrate(pool, own.schema)
    await EmbeddedLog.open({ pool, topic: 'payments', partitions: 2 })
    await expect(runPipeline(paid, { ...own, partitions: 3 })).rejects.toThrow(/payments has 2 partitions, not 3/)
    await runPipeline(paid, own)
    const { rows } = await pool.query('SELECT topic, partitions FROM log_topic ORDER BY topic')
    expect(rows).toEqual([
      { topic: 'orders', partitions: 2 },
      { topic: 'payments', partitions: 2 },
    ])
    await pool.end()
  })

  test.each([
    ['a pipeline without inputs and without a topic', () => runPipeline(lines), /names no topic.*--topic/],
    [
      'a topic for one that names its own',
      () => runPipeline(paid, { topic: 'x' }),
      /names its topics itself \(orders, payments\)/,
    ],
    ['closeOpen without an end', () => runPipeline(paid, { closeOpen: true }), /closeOpen is only for untilEnd/],
    [
      'a database that is no PostgreSQL, without telling the password',
      () => runPipeline(paid, { databaseUrl: 'mysql://me:hidden@localhost/x' }),
      /^(?!.*hidden).*databaseUrl is no address of PostgreSQL that can be used: .*allowed: postgres:\/\//,
    ],
    [
      'a setting that there is not',
      () => runPipeline(paid, { databaseURL: 'postgres://x' } as never),
      /no setting databaseURL \(did you mean databaseUrl\?\); there are dataDir, /,
    ],
    [
      'a limit that there is not',
      () => runPipeline(paid, { limits: { checkpointMs: 5 } as never }),
      /no limit checkpointMs; there are checkpointIntervalMs, /,
    ],
    ['half a partition', () => runPipeline(paid, { partitions: 1.5 }), /partitions 1\.5 is not allowed/],
    [
      'brokers that are none',
      () => runPipeline(paid, { kafka: { brokers: ['nowhere'] } }),
      /kafka\.brokers.*host:port/,
    ],
  ])('refuses %s, and says what to do', async (_what, run, words) => {
    await expect(run()).rejects.toThrow(words)
    await expect(run()).rejects.toBeInstanceOf(ConfigurationError)
  })

  test.each(['pg_mine', 'information_schema', '1st', 'a-b', '', 'x'.repeat(64)])(
    'refuses schema %j, as the command does',
    async (schema) => {
      await expect(runPipeline(paid, { schema })).rejects.toThrow(/schema ".*" is not allowed; allowed: letters/)
    },
  )
})
