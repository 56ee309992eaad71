import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { map, merge } from 'rxjs'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'
import { EmbeddedLog } from '../../src/embedded/log/embeddedLog.ts'
import { decode } from '../../src/operators/decode.ts'
import { enrich } from '../../src/operators/enrich.ts'
import { toTable } from '../../src/operators/toTable.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { ConfigurationError, CorruptRecordError, OffsetOutOfRangeError } from '../../src/runtime/errors.ts'
import type { LogSource } from '../../src/runtime/log/log.ts'
import { definePipeline, type Pipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { Worker } from '../../src/runtime/worker/worker.ts'
import { rawArchive } from '../../src/sinks/archive/rawArchive.ts'
import { PostgresCheckpointStore } from '../../src/sinks/postgres/checkpointStore.ts'
import { table } from '../../src/sinks/table.ts'
import { toArchive } from '../../src/sinks/toArchive.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../src/sources/kafka/openKafkaLog.ts'
import { encodeRecordBatch } from '../../src/sources/recordBatch/encode.ts'
import { MemoryObjectStore } from '../../src/testing/memoryObjectStore.ts'
import { databaseUrl } from '../support/databaseUrl.ts'
import { hasKafka, kafkaTitle, sharedBroker } from '../support/kafkaBroker.ts'
import { KafkaTopic } from '../support/kafkaTopic.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { CODECS, compressed } from '../support/recordBatches.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-offsets-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const seen = table('seen', { columns: { value: 'text' } })
const text = { decode: (record: { valueText(): string | null }) => record.valueText() ?? '' }
const asRow = map((value: string) => ({ value }))

const single: Pipeline = definePipeline({
  name: 'single',
  build: (records) => ({ raw: toArchive(records), seen: toPostgres(records.pipe(decode(text), asRow), seen) }),
})
const double = definePipeline({
  name: 'double',
  inputs: {
    left: { topic: 'left', codec: text, idleAfterMs: 1 },
    right: { topic: 'right', codec: text, idleAfterMs: 1 },
  },
  build: ({ left, right }) => ({ seen: toPostgres(merge(left, right).pipe(asRow), seen) }),
})

let database: TestDatabase
let archived: MemoryObjectStore

beforeEach(async () => {
  database = await testDatabase()
  await database.pool.query('CREATE TABLE seen (value text)')
  archived = new MemoryObjectStore()
})
afterEach(() => database.close())

async function topicWith(topic: string, count: number): Promise<EmbeddedLog> {
  const log = await EmbeddedLog.open({ pool: database.pool, topic, partitions: 1 })
  const writer = log.writer()
  await writer.claim('test')
  for (let i = 0; i < count; i++) {
    const value = Buffer.from(`${topic} ${i}`)
    await writer.append([{ partition: 0, timestamp: 1_000 + i, key: null, value }], String(i))
  }
  return log
}

/** Changes a byte of the value in the batch at the offset. */
async function spoil(topic: string, offset: number, at = 70): Promise<void> {
  await database.pool.query(
    'UPDATE log_batch SET bytes = set_byte(bytes, $3, get_byte(bytes, $3) # 4) WHERE topic = $1 AND base_offset = $2',
    [topic, offset, at],
  )
}

async function runAll(pipeline: Pipeline, source: LogSource, ...others: readonly LogSource[]): Promise<void> {
  const store = new PostgresCheckpointStore(database.connection, { schema: database.schema })
  const archive = rawArchive({ store: archived })
  const worker = new Worker({ pipeline, source, others, store, archive, clock: systemClock })
  worker.stop('drain')
  try {
    await worker.run()
  } finally {
    await store.close()
  }
}

async function values(): Promise<readonly string[]> {
  const { rows } = await database.pool.query<{ value: string }>('SELECT value FROM seen ORDER BY value')
  return rows.map(({ value }) => value)
}

/** The command, with what it printed. */
async function millrace(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const code = await runProgram(args, {
    output: {
      out: async (chunk: string) => {
        out += chunk
      },
      err: (line: string) => {
        err += `${line}\n`
      },
    } as never,
    env: {
      DATABASE_URL: databaseUrl(database.connection),
      MILLRACE_SCHEMA: database.schema,
    },
    envFile: join(folder, '.env'),
    isTerminal: false,
  })
  return { code, out, err }
}

/** The command that the error names, as a person would copy it. */
function commandIn(error: unknown): readonly string[] {
  const [, command = ''] = /millrace (offsets .*--yes)/.exec((error as Error).message) ?? []
  return command.split(' ').map((word) => word.replaceAll('"', ''))
}

const placeOf = (topic: string, partition: string) => [
  '--pipeline',
  'single',
  '--topic',
  topic,
  '--partition',
  partition,
]

const failure = (run: Promise<unknown>) =>
  run.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('a batch of a table that every task reads whole', () => {
  test('is left out of each, by one decision, which is taken back as one', { timeout: 60_000 }, async () => {
    const shared = definePipeline({
      name: 'shared',
      inputs: {
        left: { topic: 'left', codec: text, idleAfterMs: 1 },
        rows: { topic: 'rows', codec: text, movesTime: false, partitions: 'all' },
      },
      build: ({ left, rows }) => {
        const known = toTable(rows, { name: 'rows', by: (row) => row, value: (row) => row, maxKeys: 9 })
        return {
          seen: toPostgres(left.pipe(enrich(known, { by: (one) => one, with: (value) => ({ value }) })), seen),
        }
      },
    }) as Pipeline
    const left = await EmbeddedLog.open({ pool: database.pool, topic: 'left', partitions: 2 })
    const rows = await topicWith('rows', 1)
    const append = async (log: EmbeddedLog, ...partitions: readonly number[]) => {
      const writer = log.writer()
      await writer.claim('more')
      const records = partitions.map((partition) => ({
        partition,
        timestamp: 2_000,
        key: null,
        value: Buffer.from('x'),
      }))
      await writer.append(records, String(partitions.length))
      await writer.close()
    }
    await append(left, 0, 1)
    await runAll(shared, left, rows)
    await append(rows, 0)
    await spoil('rows', 1, 62)
    await append(left, 0, 1)
    const error = await failure(runAll(shared, left, rows))
    expect(error).toBeInstanceOf(CorruptRecordError)
    const skip = commandIn(error)
    const decided = await millrace(...skip)
    expect(decided.out).toMatch(/task left\/0: .*rows\/0.*task left\/1: .*rows\/0.*Stored/s)
    const place = ['--pipeline', 'shared', '--topic', 'rows', '--partition', '0']
    expect((await millrace('offsets', 'unskip', ...place, '--yes')).out).toContain('Taken back')
    expect(await failure(runAll(shared, left, rows))).toBeInstanceOf(CorruptRecordError)
    await millrace(...skip)
    await runAll(shared, left, rows)
    expect(await values()).toEqual(['x', 'x', 'x', 'x'])
    await Promise.all([left.close(), rows.close()])
  })
})

describe('a batch that cannot be read', () => {
  test('ends every start with a command, and is left out for good once that was given', async () => {
    const log = await topicWith('one', 6)
    await spoil('one', 3)
    const error = await failure(runAll(single, log))
    expect(error).toBeInstanceOf(CorruptRecordError)
    expect(await failure(runAll(single, log))).toMatchObject({ message: (error as Error).message })
    expect(commandIn(error).join(' ')).toBe(
      'offsets skip --pipeline single --topic one --partition 0 --from-offset 3 --to-offset 4 --because why --yes',
    )
    const asked = await millrace(...commandIn(error).slice(0, -1))
    expect(asked).toMatchObject({ code: 0, out: expect.stringContaining('offsets 3 to 3 (1) are left out for good') })
    expect(await failure(runAll(single, log))).toBeInstanceOf(CorruptRecordError)
    expect(await millrace(...commandIn(error))).toMatchObject({ code: 0, out: expect.stringContaining('Stored.') })
    await runAll(single, log)
    expect(await values()).toEqual(['one 0', 'one 1', 'one 2', 'one 4', 'one 5'])
    const { out } = await millrace('status')
    expect(out).toMatch(/single, one\/0: offsets 3 to 3 left out by \S+, .*: why/)
    const listed = JSON.parse((await millrace('offsets', 'list', '--json')).out) as readonly unknown[]
    expect(listed).toMatchObject([
      { pipeline: 'single', inputTopic: 'one', kind: 'skip', fromOffset: 3, toOffset: 4, reason: 'why' },
    ])
    const [row] = (await database.pool.query('SELECT archive_next_offset::int AS next FROM stream_task')).rows
    expect(row).toEqual({ next: 6 })
  })

  test('is left out of the input that it is in, where there are several', async () => {
    const left = await topicWith('left', 4)
    const right = await topicWith('right', 4)
    // The header: its length.
    await spoil('right', 1, 11)
    const error = await failure(runAll(double, left, right))
    expect(error).toBeInstanceOf(CorruptRecordError)
    const command = commandIn(error).map((word) => (word === 'N' ? '2' : word))
    expect(command.join(' ')).toContain('--topic right --partition 0 --from-offset 1')
    expect(await millrace(...command)).toMatchObject({ code: 0 })
    await runAll(double, left, right)
    expect(await values()).toEqual(['left 0', 'left 1', 'left 2', 'left 3', 'right 0', 'right 2', 'right 3'])
  })
})

describe('offsets', () => {
  test('from which to start may be named where nothing was committed', async () => {
    const log = await topicWith('one', 5)
    const args = [
      '--pipeline',
      'single',
      '--topic',
      'one',
      '--partition',
      '0',
      '--to-offset',
      '3',
      '--because',
      'test data',
      '--yes',
    ]
    expect(await millrace('offsets', 'skip', ...args)).toMatchObject({
      code: 2,
      err: expect.stringContaining('has not run'),
    })
    await database.pool.query(
      `INSERT INTO stream_task (pipeline, topic, partition, generation, owner, claimed_at) VALUES ('single', 'one', 0, 1, 'x', now())`,
    )
    expect(await millrace('offsets', 'skip', ...args)).toMatchObject({ code: 0 })
    await runAll(single, log)
    expect(await values()).toEqual(['one 3', 'one 4'])
  })

  test('of a record in the middle of a batch are left out, and the archive keeps the record', async () => {
    const log = await EmbeddedLog.open({ pool: database.pool, topic: 'one', partitions: 1 })
    const writer = log.writer()
    await writer.claim('test')
    const records = ['a', 'b', 'c'].map((value) => ({
      partition: 0,
      timestamp: 1,
      key: null,
      value: Buffer.from(value),
    }))
    await writer.append(records.slice(0, 1), '1')
    await runAll(single, log)
    await writer.append(records, '2')
    const args = [
      '--pipeline',
      'single',
      '--topic',
      'one',
      '--partition',
      '0',
      '--from-offset',
      '2',
      '--to-offset',
      '3',
      '--because',
      'poison',
      '--yes',
    ]
    expect(await millrace('offsets', 'skip', ...args)).toMatchObject({ code: 0 })
    await runAll(single, log)
    expect(await values()).toEqual(['a', 'a', 'c'])
    const { rows } = await database.pool.query<{ count: number }>(
      'SELECT sum(record_count)::int AS count FROM archive_object',
    )
    expect(rows).toEqual([{ count: 4 }])
  })

  test('that the log no longer has are given up by a command that the error names', async () => {
    const log = await topicWith('one', 8)
    await database.pool.query('DELETE FROM log_batch WHERE base_offset >= 2')
    await database.pool.query('UPDATE log_partition SET next_offset = 2')
    await runAll(single, log)
    const writer = log.writer()
    await writer.claim('test')
    for (let i = 2; i < 8; i++) {
      await writer.append([{ partition: 0, timestamp: i, key: null, value: Buffer.from(`one ${i}`) }], `again ${i}`)
    }
    await log.trim(0, 6)
    const error = await failure(runAll(single, log))
    expect(error).toBeInstanceOf(OffsetOutOfRangeError)
    expect(commandIn(error).join(' ')).toContain(
      'offsets accept-loss --pipeline single --topic one --partition 0 --from-offset 2 --to-offset 6',
    )
    expect(await millrace(...commandIn(error))).toMatchObject({
      code: 0,
      out: expect.stringContaining('given up as lost'),
    })
    await runAll(single, log)
    expect(await values()).toEqual(['one 0', 'one 1', 'one 6', 'one 7'])
  })

  test('go back where the log lost its end, unless the archive holds what was there', async () => {
    const plain = definePipeline({
      name: 'plain',
      build: (records) => ({ seen: toPostgres(records.pipe(decode(text), asRow), seen) }),
    })
    const log = await topicWith('one', 4)
    await runAll(plain, log)
    await runAll(single, log)
    await database.pool.query(
      `INSERT INTO dead_letter (pipeline, topic, partition, "offset", operator, ordinal, reason, detail) VALUES ('plain', 'one', 0, 3, 'x', 0, 'old', 'of the lost record')`,
    )
    await database.pool.query('DELETE FROM log_batch WHERE base_offset >= 2')
    await database.pool.query('UPDATE log_partition SET next_offset = 2')
    const error = await failure(runAll(plain, log))
    expect(error).toBeInstanceOf(OffsetOutOfRangeError)
    expect(await millrace(...commandIn(error))).toMatchObject({
      code: 0,
      out: expect.stringContaining('goes back to 2'),
    })
    const ofArchive = commandIn(await failure(runAll(single, log)))
    expect(await millrace(...ofArchive)).toMatchObject({ code: 2, err: expect.stringContaining('state copy') })
    const writer = log.writer()
    await writer.claim('test')
    await writer.append([{ partition: 0, timestamp: 1, key: null, value: Buffer.from('anew') }], 'anew')
    await database.pool.query('DELETE FROM seen')
    await runAll(plain, log)
    expect(await values()).toEqual(['anew'])
    const { rows } = await database.pool.query('SELECT ordinal FROM dead_letter')
    expect(rows).toEqual([{ ordinal: 1_000_000 }])
  })

  test('behind the end of the log, or of a topic or partition that is not there, are not decided about', async () => {
    const log = await topicWith('one', 5)
    await runAll(single, log)
    const skip = (topic: string, partition: string, ...more: readonly string[]) =>
      millrace('offsets', 'skip', ...placeOf(topic, partition), '--because', 'x', '--yes', ...more)
    expect(await skip('one', '0', '--to-offset', '6')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/one\/0 ends at offset 5, .*there is nothing in it that the pipeline has not got/),
    })
    expect(await skip('oen', '0', '--to-offset', '5')).toMatchObject({
      code: 2,
      err: expect.stringContaining('there is no topic oen (did you mean one?)'),
    })
    expect(await skip('one', '7', '--to-offset', '5')).toMatchObject({
      code: 2,
      err: expect.stringContaining('has not run on partition 7'),
    })
    const loss = (...more: readonly string[]) =>
      millrace('offsets', 'accept-loss', ...placeOf('one', '0'), '--because', 'x', '--yes', ...more)
    expect(await loss('--to-offset', '3')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/has lost nothing: .*effect twice/),
    })
    const other = ['--pipeline', 'singel', '--topic', 'one', '--partition', '0', '--to-offset', '5', '--because', 'x']
    expect(await millrace('offsets', 'skip', ...other)).toMatchObject({
      code: 2,
      err: expect.stringContaining('(did you mean single?)'),
    })
    await topicWith('more', 1)
    const writer = log.writer()
    await writer.claim('more')
    await writer.append([{ partition: 0, timestamp: 1, key: null, value: Buffer.from('one 5') }], '5')
    expect(await skip('one', '0', '--to-offset', '9')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/one\/0 ends at offset 6, .*--to-offset 6 leaves out all/),
    })
    expect(await loss('--to-offset', '6')).toMatchObject({ code: 2, err: expect.stringContaining('are not lost') })
    expect(await millrace('offsets', 'list', '--json')).toMatchObject({ out: '[]\n' })
    await runAll(single, log)
    expect(await values()).toHaveLength(6)
  })

  test('that were left out by mistake are read after that was taken back, until the pipeline has gone past them', async () => {
    const log = await topicWith('one', 5)
    await database.pool.query(
      `INSERT INTO stream_task (pipeline, topic, partition, generation, owner, claimed_at) VALUES ('single', 'one', 0, 1, 'x', now())`,
    )
    const skip = ['offsets', 'skip', ...placeOf('one', '0'), '--to-offset', '3', '--because', 'mistake', '--yes']
    const unskip = ['offsets', 'unskip', ...placeOf('one', '0')]
    expect((await millrace(...skip)).err).toContain(
      'npx millrace offsets unskip --pipeline single --topic one --partition 0 --from-offset 0',
    )
    expect(await millrace(...unskip)).toMatchObject({ code: 0, err: expect.stringContaining('Nothing was changed') })
    expect(await millrace(...unskip, '--yes')).toMatchObject({ code: 0, out: expect.stringContaining('Taken back.') })
    expect(await millrace(...unskip, '--yes')).toMatchObject({ code: 1 })
    await runAll(single, log)
    expect(await values()).toHaveLength(5)
    const listed = JSON.parse((await millrace('offsets', 'list', '--json')).out) as readonly unknown[]
    expect(listed).toMatchObject([{ reason: 'mistake', takenBackBy: expect.any(String) }])
    expect((await millrace('status')).out).not.toContain('mistake')
    // One that was followed stays.
    const writer = log.writer()
    await writer.claim('more')
    const values5to7 = [5, 6, 7].map((n) => ({ partition: 0, timestamp: n, key: null, value: Buffer.from(`one ${n}`) }))
    await writer.append(values5to7, '7')
    await millrace('offsets', 'skip', ...placeOf('one', '0'), '--to-offset', '7', '--because', 'meant', '--yes')
    await runAll(single, log)
    expect(await values()).toHaveLength(6)
    expect(await millrace(...unskip, '--yes')).toMatchObject({
      code: 2,
      err: expect.stringContaining('has had its effect and cannot be taken back'),
    })
    await database.pool.query(
      `INSERT INTO dead_letter (pipeline, topic, partition, "offset", operator, ordinal, reason, detail, redriven_at) VALUES ('single', 'one', 0, 3, 'x', 0, 'late', '-', now())`,
    )
    const plan = (await millrace('state', 'drop', '--pipeline', 'single', '--topic', 'one')).out
    expect(plan).toContain('keep   1 decision about offsets')
    expect(plan).toContain('1 record of dead letters was redriven, and is in the topic twice')
    expect(await millrace('state', 'drop', '--pipeline', 'single', '--topic', 'noe')).toMatchObject({
      code: 1,
      err: expect.stringContaining('no checkpoint on topic noe (did you mean one?)'),
    })
    // A first start reads them again once that is taken back; what was decided survives the drop.
    await millrace('state', 'drop', '--pipeline', 'single', '--yes')
    expect((await millrace('status')).out).toContain('meant')
    expect(await millrace(...unskip, '--yes')).toMatchObject({ code: 0 })
  })

  test('that are left out behind an end that the log has lost since end the start with what takes that back', async () => {
    const log = await topicWith('one', 8)
    await database.pool.query(
      `INSERT INTO stream_task (pipeline, topic, partition, generation, owner, claimed_at) VALUES ('single', 'one', 0, 1, 'x', now())`,
    )
    await millrace('offsets', 'skip', ...placeOf('one', '0'), '--to-offset', '6', '--because', 'x', '--yes')
    await database.pool.query('DELETE FROM log_batch WHERE base_offset >= 2')
    await database.pool.query('UPDATE log_partition SET next_offset = 2')
    const error = await failure(runAll(single, log))
    expect(error).toBeInstanceOf(OffsetOutOfRangeError)
    expect(commandIn(error).join(' ')).toBe('offsets unskip --pipeline single --topic one --partition 0 --yes')
    expect(await millrace(...commandIn(error))).toMatchObject({ code: 0 })
    await runAll(single, log)
    expect(await values()).toEqual(['one 0', 'one 1'])
  })

  test('are left out no longer where the pipeline goes back to before them', async () => {
    const plain = definePipeline({
      name: 'single',
      build: (records) => ({ seen: toPostgres(records.pipe(decode(text), asRow), seen) }),
    })
    const log = await topicWith('one', 6)
    await database.pool.query(
      `INSERT INTO stream_task (pipeline, topic, partition, generation, owner, claimed_at) VALUES ('single', 'one', 0, 1, 'x', now())`,
    )
    const skip = (from: string, to: string) =>
      millrace(
        'offsets',
        'skip',
        ...placeOf('one', '0'),
        '--from-offset',
        from,
        '--to-offset',
        to,
        '--because',
        'x',
        '--yes',
      )
    await skip('1', '3')
    await skip('4', '5')
    await runAll(plain, log)
    expect(await values()).toEqual(['one 0', 'one 3', 'one 5'])
    await database.pool.query('DELETE FROM log_batch WHERE base_offset >= 2')
    await database.pool.query('UPDATE log_partition SET next_offset = 2')
    await millrace(...commandIn(await failure(runAll(plain, log))))
    const writer = log.writer()
    await writer.claim('again')
    for (let n = 2; n < 6; n++)
      await writer.append([{ partition: 0, timestamp: n, key: null, value: Buffer.from(`new ${n}`) }], String(n))
    await runAll(plain, log)
    expect(await values()).toEqual(['new 2', 'new 3', 'new 4', 'new 5', 'one 0', 'one 3', 'one 5'])
    const { rows } = await database.pool.query(
      `SELECT from_offset::int AS "from", to_offset::int AS "to" FROM skipped_range WHERE taken_back_at IS NULL AND kind = 'skip'`,
    )
    expect(rows).toEqual([{ from: 1, to: 2 }])
  })

  test.each([
    ['--partition', ['--pipeline', 'p', '--topic', 't', '--to-offset', '1', '--because', 'x']],
    ['--because', ['--pipeline', 'p', '--topic', 't', '--partition', '0', '--to-offset', '1']],
    ['--to-offset', ['--pipeline', 'p', '--topic', 't', '--partition', '0', '--because', 'x']],
  ])('need %s', async (name, args) => {
    expect(await millrace('offsets', 'skip', ...args)).toMatchObject({
      code: 2,
      err: expect.stringContaining(`${name} is missing`),
    })
  })
})

describe.skipIf(!hasKafka).each(['wire', 'kafkajs'] as const)(
  kafkaTitle('a batch of Kafka that is too large, through %s'),
  (client) => {
    test('ends every start with the setting and a command, which goes on behind it', async () => {
      const kafka = await sharedBroker()
      const topic = await KafkaTopic.create(kafka.brokers)
      const batchOf = (value: string | Buffer) =>
        encodeRecordBatch(0, [{ timestamp: 1, key: null, value: Buffer.from(value) }])
      const { code, pack } = CODECS[4]!
      await topic.produce(0, batchOf('before'))
      await topic.produce(0, compressed(batchOf(Buffer.alloc(2 << 20)), code, pack))
      await topic.produce(0, batchOf('behind'))
      const settings = kafkaSettings({ brokers: [...kafka.brokers], client, maxBatchBytes: 1 << 20 })
      const source = await openKafkaLog(settings, { topic: topic.name, group: topic.name })
      const pipeline = definePipeline({
        name: 'small',
        build: (records) => ({ seen: toPostgres(records.pipe(decode(text), asRow), seen) }),
      })
      try {
        const error = await failure(runAll(pipeline, source))
        expect(error).toBeInstanceOf(ConfigurationError)
        expect((error as Error).message).toContain('KAFKA_MAX_BATCH_BYTES')
        expect(await millrace(...commandIn(error))).toMatchObject({ code: 0 })
        const again = await openKafkaLog(settings, { topic: topic.name, group: `${topic.name}2` })
        await runAll(pipeline, again).finally(() => again.close())
        expect(await values()).toEqual(['before', 'behind'])
      } finally {
        await source.close()
        await topic.close()
        await kafka.close()
      }
    }, 90_000)
  },
)
