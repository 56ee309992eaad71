import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { decode } from '../../../src/operators/decode.ts'
import { dedupe } from '../../../src/operators/dedupe.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { partitionOf } from '../../../src/sources/ingest/murmur2.ts'
import { kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'
import { Random } from '../../../src/testing/random.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../support/kafkaTopic.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'
import { crashPoints, type ForwardWorkerArguments } from '../../support/workers/forwardWorker.ts'

if (!hasKafka) console.warn('SKIPPED: outlets to topics of Kafka over crashes: there is no broker')

const program = fileURLToPath(new URL('../../support/workers/forwardWorker.ts', import.meta.url))
const partitions = 2
const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g']

describe.skipIf(!hasKafka)(kafkaTitle('a worker that sends to Kafka'), { timeout: 180_000 }, () => {
  let kafka: SharedBroker
  let db: TestDatabase
  let from: KafkaTopic
  let to: KafkaTopic
  let group: string
  const children: ChildProcess[] = []
  beforeAll(async () => {
    kafka = await sharedBroker()
  }, 180_000)
  afterAll(() => kafka?.close())
  beforeEach(async () => {
    db = await testDatabase()
    group = uniqueName('group')
    from = await KafkaTopic.create(kafka.brokers, { partitions })
    to = await KafkaTopic.create(kafka.brokers, { partitions })
  })
  afterEach(async () => {
    for (const child of children.splice(0)) await end(child, 'SIGKILL')
    for (const topic of [from, to]) await topic.close()
    await db.close()
  })

  const settings = (instanceId: string) => ({
    brokers: [...kafka.brokers],
    instanceId,
    heartbeatIntervalMs: 100,
    sessionTimeoutMs: 2_000,
  })
  function start(instanceId: string, crash: ForwardWorkerArguments['crash']): ChildProcess {
    const { connection, schema } = db
    const given: ForwardWorkerArguments = {
      settings: settings(instanceId),
      from: from.name,
      to: to.name,
      group,
      connection,
      schema,
      crash,
    }
    const child = spawn(process.execPath, [program, JSON.stringify(given)], { stdio: ['ignore', 'inherit', 'inherit'] })
    children.push(child)
    return child
  }
  /** Until all that was produced is committed, and nothing is left to send. */
  const untilSent = (produced: Produced) =>
    expect
      .poll(() => remaining(db, produced.count), { timeout: 60_000, interval: 50 })
      .toEqual({ unread: 0, unsent: 0 })

  // What is written between two points, and when it dies in between, is another thing each time.
  test('and dies at any point has sent, when it is through, what it would have sent without dying', async () => {
    const random = new Random(1)
    const produced = new Produced(from)
    for (const point of random.shuffle(crashPoints)) {
      // Each task claims its producer once.
      const time = point === 'claimed' ? random.int(1, partitions) : random.int(1, 4)
      const child = start('one', { point, time, afterMs: random.int(0, 12) })
      // Something to commit and to send for as long as it lives.
      for (let turn = 0; child.signalCode === null && child.exitCode === null && turn < 300; turn++) {
        await produced.add(20)
        await new Promise((resolve) => setTimeout(resolve, 30))
      }
      expect(child.signalCode, point).toBe('SIGKILL')
    }
    start('one', null)
    await untilSent(produced)
    expect(await recordsOf(to, kafka)).toEqual(produced.byPartition)
    expect(await received(to, kafka)).toEqual(produced.byKey)
  })

  test('hands partitions with their relays over to another worker, whether it is killed or sleeps through its replacement', async () => {
    const produced = new Produced(from)
    const first = start('one', null)
    const second = start('two', null)
    const add = async (times: number) => {
      for (let time = 0; time < times; time++) {
        await produced.add(20)
        await new Promise((resolve) => setTimeout(resolve, 30))
      }
    }
    await add(30)
    await untilSent(produced)
    first.kill('SIGSTOP')
    await add(20)
    await untilSent(produced)
    first.kill('SIGCONT')
    await add(30)
    await untilSent(produced)
    await end(second, 'SIGKILL')
    await add(20)
    await untilSent(produced)
    await end(first, 'SIGTERM')
    expect(first.exitCode).toBe(0)
    expect(await recordsOf(to, kafka)).toEqual(produced.byPartition)
  })
})

/** Ids in order, by the keys of the records; both topics have as many partitions and share keys out alike. */
class Produced {
  count = 0
  readonly byPartition: string[][] = Array.from({ length: partitions }, () => [])
  readonly byKey: Record<string, number[]> = {}
  readonly #topic: KafkaTopic
  readonly #writer

  constructor(topic: KafkaTopic) {
    this.#topic = topic
    this.#writer = this.#topic.writer()
  }

  async add(count: number): Promise<void> {
    await this.#writer.claim('ids')
    const records = Array.from({ length: count }, () => {
      const id = this.count++
      const key = keys[id % keys.length]!
      const partition = partitionOf(Buffer.from(key), partitions)
      this.byPartition[partition]!.push(`${key}:${id}`)
      this.byKey[key] = [...(this.byKey[key] ?? []), id]
      return { partition, timestamp: 1_000 + id, key: Buffer.from(key), value: Buffer.from(String(id)) }
    })
    await this.#writer.append(records, String(this.count))
  }
}

async function remaining(db: TestDatabase, count: number): Promise<{ unread: number; unsent: number }> {
  const { rows } = await db.pool.query<{ read: number; unsent: number }>(
    `SELECT coalesce((SELECT sum(next_offset) FROM stream_task), 0)::int AS read,
      (SELECT count(*) FROM outbox)::int AS unsent`,
  )
  return { unread: count - rows[0]!.read, unsent: rows[0]!.unsent }
}

/** What a consumer that reads committed gets, as it is. */
async function recordsOf(topic: KafkaTopic, kafka: SharedBroker): Promise<string[][]> {
  const source = await openKafkaLog(kafkaSettings({ brokers: [...kafka.brokers] }), {
    topic: topic.name,
    group: topic.name,
  })
  const view = new RecordView()
  const found: string[][] = []
  for (const partition of await source.partitions()) {
    const reader = source.reader(partition)
    const records: string[] = []
    const { next } = await reader.bounds()
    reader.seek(0)
    for (let offset = 0; offset < next; ) {
      const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 500 })
      if (batch === null) break
      while (batch.read(view)) records.push(`${view.keyText()}:${view.valueText()}`)
      offset = batch.nextOffset
    }
    found.push(records)
  }
  await source.close()
  return found
}

/** What a pipeline on the other side makes of it, which drops repeats by their ids. */
async function received(topic: KafkaTopic, kafka: SharedBroker): Promise<Record<string, number[]>> {
  const db = await testDatabase()
  try {
    await db.pool.query('CREATE TABLE received (number bigint GENERATED ALWAYS AS IDENTITY, key text, id bigint)')
    const pipeline = definePipeline({
      name: 'receive',
      build: (records) => ({
        received: toPostgres(
          records.pipe(
            decode({
              decode: (record) => ({
                key: record.keyText() ?? '',
                id: Number(record.valueText()),
                at: record.timestamp,
              }),
            }),
            eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 1_000 }),
            dedupe({ by: ({ key }) => key, id: ({ id }) => id, ttlMs: 600_000 }),
          ),
          {
            name: 'received',
            mode: 'append',
            columns: [
              { name: 'key', type: 'text', of: ({ key }) => key },
              { name: 'id', type: 'bigint', of: ({ id }) => id },
            ],
          },
        ),
      }),
    })
    const source = await openKafkaLog(kafkaSettings({ brokers: [...kafka.brokers] }), {
      topic: topic.name,
      group: uniqueName('receivers'),
    })
    const store = new PostgresCheckpointStore(db.connection, { schema: db.schema })
    const worker = new Worker({ pipeline, source, store, archive: null, clock: systemClock })
    const running = worker.run()
    worker.stop('drain')
    await running
    for (const each of [source, store]) await each.close()
    const { rows } = await db.pool.query<{ key: string; id: string }>('SELECT key, id FROM received ORDER BY number')
    const ids: Record<string, number[]> = {}
    for (const { key, id } of rows) ids[key] = [...(ids[key] ?? []), Number(id)]
    return ids
  } finally {
    await db.close()
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}
