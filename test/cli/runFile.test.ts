import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { EmbeddedLog } from '../../src/embedded/log/embeddedLog.ts'
import type { LogWriter, OutgoingRecord } from '../../src/runtime/log/log.ts'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { migrate } from '../../src/sinks/postgres/migrate.ts'
import { openKafkaAdmin } from '../../src/sources/kafka/admin.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaWriter } from '../../src/sources/kafka/producer/openKafkaWriter.ts'
import { runCommand } from '../support/commandLine.ts'
import { databaseUrl } from '../support/databaseUrl.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../support/kafkaBroker.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { startedCommands } from '../support/startedCommands.ts'

const pipelines = resolve(import.meta.dirname, '../support/pipelines')
const paid = join(pipelines, 'paid.ts')
const lines = join(pipelines, 'lines.ts')

const databases = await emptyDatabases()

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-run-file-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const start = startedCommands()

const recordsOf = (from: number, to: number, partitions: number): readonly OutgoingRecord[] =>
  Array.from({ length: to - from }, (_, index) => ({
    partition: (from + index) % partitions,
    timestamp: from + index,
    key: null,
    value: Buffer.from(JSON.stringify({ id: from + index, amount: 1 })),
  }))

/** Appends to topics of the data folder's own log, which another process may run meanwhile. */
async function append(dataDir: string, topics: readonly string[], from: number, to: number, schema = 'public') {
  databases.layInto(dataDir)
  const server = await startOrJoin(dataDir)
  const pool = openPool(server.connection, { schema })
  try {
    await migrate(pool, schema)
    for (const topic of topics) {
      const log = await EmbeddedLog.open({ pool, topic, partitions: 4 })
      const writer = log.writer()
      await writer.claim('test')
      await writer.append(recordsOf(from, to, 4), `${to}`)
      await log.close()
    }
  } finally {
    await pool.end()
    await server.stop()
  }
}

async function query<Row extends pg.QueryResultRow>(dataDir: string, text: string): Promise<readonly Row[]> {
  databases.layInto(dataDir)
  const server = await startOrJoin(dataDir)
  const client = new pg.Client(server.connection)
  try {
    await client.connect()
    return (await client.query<Row>(text)).rows
  } finally {
    await client.end()
    await server.stop()
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, id) => ({ id }))

describe('millrace run FILE', { timeout: 90_000 }, () => {
  test('runs the pipeline of the file until all is committed, and again from there', async () => {
    const dataDir = join(folder, 'plain')
    const place = { cwd: folder, env: { MILLRACE_DATA_DIR: dataDir } }
    await append(dataDir, ['orders', 'payments'], 0, 40)
    const first = await runCommand(['run', paid, '--until-end'], place)
    expect(first, first.stdout + first.stderr).toMatchObject({ code: 0 })
    expect(first.stdout).toContain('All that the topics hold is committed: 80 records, 0 dead letters.')
    expect(first.stdout).toContain('  ordered: 40 rows for ordered\n  paid: 40 rows for paid\n')
    await append(dataDir, ['orders', 'payments'], 40, 50)
    const second = await runCommand(['run', paid, '--until-end', '--close-open'], place)
    expect(second.stdout).toContain('  ordered: 10 rows for ordered\n')
    expect(await query(dataDir, 'SELECT id FROM ordered ORDER BY id')).toEqual(upTo(50))
    expect(await query(dataDir, 'SELECT id FROM paid ORDER BY id')).toEqual(upTo(50))
  })

  test('goes on until Ctrl-C, is seen by status and health, and has a slot of its own beside another pipeline', async () => {
    const dataDir = join(folder, 'live')
    const place = { cwd: folder, env: { MILLRACE_DATA_DIR: dataDir } }
    const running = start(['run', paid], place)
    await running.seen(/Waiting for records of orders, payments\./)
    await append(dataDir, ['orders', 'payments'], 0, 8)
    await running.seen(/ordered 8, paid 8/)
    const status = await runCommand(['status', '--json'], place)
    const told = JSON.parse(status.stdout)
    expect(told).toMatchObject({
      running: { pid: running.process.pid, report: { source: `paid (${paid})`, records: 16 } },
    })
    expect(told.running.report.work).toMatchObject({
      deadLetters: 0,
      inputs: [
        { name: 'orders', topic: 'orders', nextOffset: 8, lagRecords: 0 },
        { name: 'payments', topic: 'payments', nextOffset: 8, lagRecords: 0 },
      ],
      operators: [
        { name: 'decode orders', valuesIn: 8, valuesOut: 8 },
        { name: 'decode payments', valuesIn: 8, valuesOut: 8 },
      ],
      outlets: [
        { outlet: 'ordered', kind: 'rows', to: 'ordered', count: 8, waiting: 0, refused: 0 },
        { outlet: 'paid', count: 8 },
      ],
    })
    const { stdout: text } = await runCommand(['status'], place)
    expect(text).toMatch(/input +topic +next offset +records behind +time behind\n +orders +orders +8 +0 /)
    expect(text).toMatch(/operator +values in .*\n +decode orders +8 +8 +0 +-\n/)
    expect(text).toMatch(/outlet +to .*\n +ordered +ordered +rows +8 /)
    expect(await runCommand(['health'], place)).toMatchObject({ code: 0 })
    const twice = await runCommand(['run', paid], place)
    expect(twice).toMatchObject({ code: 2, stderr: expect.stringContaining(`process ${running.process.pid} `) })
    const other = await runCommand(['run', lines, '--topic', 'orders', '--until-end'], place)
    expect(other, other.stdout + other.stderr).toMatchObject({ code: 0 })
    expect(other.stdout).toContain('lines: 8 rows for line')
    running.process.kill('SIGINT')
    const ended = await running.ended
    expect(ended, ended.stderr).toMatchObject({ code: 0 })
    expect(ended.stdout).toContain('Stopped cleanly: 16 records committed')
  })

  test('begins at a time where that is asked of a first start, and refuses it of a later one', async () => {
    const dataDir = join(folder, 'from')
    const place = { cwd: folder, env: { MILLRACE_DATA_DIR: dataDir } }
    await append(dataDir, ['orders', 'payments'], 0, 20)
    // The records' timestamps are their numbers: ms after 1970.
    const from = ['--from', new Date(12).toISOString()]
    const first = await runCommand(['run', paid, '--until-end', ...from], place)
    expect(first, first.stdout + first.stderr).toMatchObject({ code: 0 })
    expect(await query(dataDir, 'SELECT id FROM paid ORDER BY id')).toEqual(upTo(20).slice(12))
    const again = await runCommand(['run', paid, '--until-end', ...from], place)
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('pipeline paid has a checkpoint') })
  })

  test('puts everything into the schema that is named', async () => {
    const dataDir = join(folder, 'schema')
    const place = { cwd: folder, env: { MILLRACE_DATA_DIR: dataDir } }
    await append(dataDir, ['orders', 'payments'], 0, 5, 'reports')
    const ended = await runCommand(['run', paid, '--until-end', '--schema', 'reports'], place)
    expect(ended, ended.stdout + ended.stderr).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('schema reports'),
    })
    expect(await query(dataDir, 'SELECT id FROM reports.paid ORDER BY id')).toEqual(upTo(5))
    expect(await query(dataDir, `SELECT to_regclass('public.paid') AS found`)).toEqual([{ found: null }])
  })

  test('ends before the first record where a table does not fit, with the SQL that mends it', async () => {
    const dataDir = join(folder, 'misfit')
    const place = { cwd: folder, env: { MILLRACE_DATA_DIR: dataDir } }
    await query(dataDir, 'CREATE TABLE paid (id integer NOT NULL)')
    const ended = await runCommand(['run', paid, '--until-end'], place)
    expect(ended, ended.stdout).toMatchObject({ code: 2 })
    expect(ended.stderr).toContain('table paid: ')
    const [, sql = ''] = ended.stderr.split('\n\n')
    expect(sql).toMatch(/^ALTER TABLE .*;$/m)
    await query(dataDir, sql)
    expect(await runCommand(['run', paid, '--until-end'], place)).toMatchObject({ code: 0 })
  })

  test('says what is missing: the file, a pipeline in it, a topic', async () => {
    writeFileSync(join(folder, 'nothing.ts'), 'export const x = 1\n')
    for (const [args, words] of [
      [['./none.ts'], 'there is no such file'],
      [['./nothing.ts'], 'exports no pipeline'],
      [[lines], '--topic NAME'],
      [[paid, '--topic', 'x'], 'names its topics itself'],
    ] as const) {
      const ended = await runCommand(['run', ...args], { cwd: folder })
      expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining(words) })
    }
  })
})

describe.skipIf(!hasKafka)(kafkaTitle('millrace run FILE on Kafka'), { timeout: 120_000 }, () => {
  let broker: SharedBroker
  let database: TestDatabase
  beforeAll(async () => {
    broker = await sharedBroker()
    database = await testDatabase({ isMigrated: false })
  }, 120_000)
  afterAll(async () => {
    await database.close()
    await broker.close()
  })

  /** The pipeline of `paid.ts` on topics that no other test has. */
  function fileFor(orders: string, payments: string): string {
    const own = join(folder, `on-${orders}`)
    mkdirSync(own)
    const source = resolve(import.meta.dirname, '../..')
    symlinkSync(join(source, 'node_modules'), join(own, 'node_modules'))
    const file = join(own, 'own.ts')
    writeFileSync(
      file,
      `import { definePipeline } from '${source}/src/runtime/pipeline/pipeline.ts'
import { paid } from '${paid}'
const { orders, payments } = paid.inputs
export default definePipeline({
  ...paid,
  inputs: {
    orders: { ...orders, topic: { ...orders.topic, name: '${orders}' } },
    payments: { ...payments, topic: { ...payments.topic, name: '${payments}' } },
  },
})
`,
    )
    return file
  }

  test('two workers share the partitions, one that is killed is started again, and each record counts once', async () => {
    const [orders, payments] = [uniqueName('orders'), uniqueName('payments')]
    const schema = `${database.schema}_shared`
    const place = {
      cwd: folder,
      env: {
        KAFKA_BROKERS: broker.brokers.join(','),
        DATABASE_URL: databaseUrl(database.connection),
        MILLRACE_DATA_DIR: join(folder, 'kafka'),
        MILLRACE_SCHEMA: schema,
        MILLRACE_ARCHIVE: 'none',
      },
    }
    const file = fileFor(orders, payments)
    const kafka = kafkaSettings({ brokers: [...broker.brokers] })
    const admin = await openKafkaAdmin(kafka)
    for (const topic of [orders, payments]) {
      await admin.createTopic({ topic, partitions: 4, retentionMs: 86_400_000, replication: null })
    }
    await admin.close()
    const running = start(['run', file, '--workers', '2'], place)
    await running.seen(/Waiting for records of/)
    const writers: LogWriter[] = []
    for (const topic of [orders, payments]) {
      const writer = await openKafkaWriter(kafka, { topic })
      await writer.claim('test')
      await writer.append(recordsOf(0, 500, 4), '1')
      writers.push(writer)
    }
    const rows = async () => {
      const { rows: found } = await database.pool.query(
        `SELECT (SELECT count(*)::int FROM ${schema}.ordered) AS ordered, (SELECT count(*)::int FROM ${schema}.paid) AS paid,
                (SELECT count(DISTINCT owner)::int FROM ${schema}.stream_task) AS owners`,
      )
      return found[0]
    }
    await expect.poll(rows, { timeout: 60_000 }).toEqual({ ordered: 500, paid: 500, owners: 2 })
    const work = async () => {
      const { stdout } = await runCommand(['status', '--json'], place)
      const { inputs, operators, outlets } = JSON.parse(stdout).running.report.work
      return [
        ...inputs.map(({ lagRecords }: Record<string, number>) => lagRecords),
        ...operators.map(({ valuesIn, valuesOut }: Record<string, number>) => [valuesIn, valuesOut]),
        ...outlets.map(({ count }: Record<string, number>) => count),
      ]
    }
    const all = (count: number) => [0, 0, [count, count], [count, count], count, count]
    await expect.poll(work, { timeout: 30_000 }).toEqual(all(500))
    const { rows: owners } = await database.pool.query<{ owner: string }>(
      `SELECT DISTINCT owner FROM ${schema}.stream_task`,
    )
    process.kill(Number(owners[0]?.owner.split(':')[1]), 'SIGKILL')
    await running.seen(/was ended by SIGKILL; it is started again/)
    for (const writer of writers) await writer.append(recordsOf(500, 700, 4), '2')
    await expect.poll(rows, { timeout: 60_000 }).toEqual({ ordered: 700, paid: 700, owners: 2 })
    // What the worker did that is no more counts, although another one goes on from where it was.
    await expect.poll(work, { timeout: 30_000 }).toEqual(all(700))
    running.process.kill('SIGTERM')
    const ended = await running.ended
    expect(ended, ended.stderr + ended.stdout).toMatchObject({ code: 0 })
    expect(ended.stdout).toContain('Stopped cleanly')
    const again = await runCommand(['run', file, '--until-end'], place)
    expect(again, again.stderr + again.stdout).toMatchObject({ code: 0 })
    expect(again.stdout).toContain('All that the topics hold is committed: 0 records')
    await Promise.all(writers.map((writer) => writer.close()))
  })
})
