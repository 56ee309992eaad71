import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EmbeddedLog } from '../../src/embedded/log/embeddedLog.ts'
import { embeddedTopics } from '../../src/embedded/log/embeddedTopics.ts'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { decode } from '../../src/operators/decode.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { upstreamTime } from '../../src/operators/upstreamTime.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { LogSource, OpenOutgoingTopic } from '../../src/runtime/log/log.ts'
import { RecordView } from '../../src/runtime/log/record.ts'
import { definePipeline, type Pipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { Worker } from '../../src/runtime/worker/worker.ts'
import { PostgresCheckpointStore } from '../../src/sinks/postgres/checkpointStore.ts'
import { toDestination } from '../../src/sinks/toDestination.ts'
import { toTopic } from '../../src/sinks/toTopic.ts'
import { partitionOf } from '../../src/sources/ingest/murmur2.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../src/sources/kafka/openKafkaLog.ts'
import { kafkaTopics } from '../../src/sources/kafka/producer/kafkaTopics.ts'
import { MemoryLog } from '../../src/testing/memoryLog.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../support/kafkaBroker.ts'
import { KafkaTopic } from '../support/kafkaTopic.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

/** A topic of three partitions that outlets send to. */
interface Target {
  readonly topic: string
  readonly openTopic: OpenOutgoingTopic
  readonly source: LogSource
  close(): Promise<void>
}

const partitions = 3
const large = 1_500_000

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db?.close())

function law(name: string, open: () => Promise<Target>): void {
  test(`${name}: messages are there once, by their keys, with time and headers, however large, and a second run adds its own`, async () => {
    const target = await open()
    const pipeline = definePipeline({
      name: `into-${name}`,
      build: (records) => ({
        out: toTopic(
          records.pipe(decode({ decode: (record) => ({ text: record.valueText() ?? '', at: record.timestamp }) })),
          {
            topic: target.topic,
            encode: ({ text }) => (text === 'gone' ? null : text),
            by: ({ text }) => (text === 'none' ? null : text.slice(0, 2)),
            at: ({ at }) => at,
            headers: ({ text }) => [{ key: 'length', value: Buffer.from(String(text.length)) }],
          },
        ),
      }),
    })
    const source = new MemoryLog({ topic: 'in', partitions: 2 })
    const store = new PostgresCheckpointStore(db.connection, { schema: db.schema })
    const run = async (texts: readonly string[]) => {
      const { openTopic } = target
      source.add(...texts.map((value, i) => ({ value, timestamp: 1_723_075_200_000 + i, partition: 1 })))
      const worker = new Worker({ pipeline, source, openTopic, store, archive: null, clock: systemClock })
      const running = worker.run()
      worker.stop('drain')
      await running
    }
    const many = Array.from({ length: 5_000 }, (_, i) => `${i % 10}:${i}`)
    const first = [...many, 'gone', 'none', ...['la', 'lb'].map((start) => start.padEnd(large, 'x'))]
    await run(first)
    await run(['one more'])
    const all = [...first, 'one more']
    const expected = Array.from({ length: partitions }, (_, partition) =>
      all
        .filter((text) => (text === 'none' ? 1 : partitionOf(Buffer.from(text.slice(0, 2)), partitions)) === partition)
        .map(
          (text) =>
            `${text === 'none' ? null : text.slice(0, 2)} ${text === 'gone' ? null : text.slice(0, 20)} ${text.length}`,
        ),
    )
    expect(await recordsOf(target.source)).toEqual(expected)
    await target.close()
    await store.close()
  })
}

/** Both halves of a hop over the topic: the lower one goes as far in time as the slowest task of the upper one. */
function hopLaw(name: string, open: () => Promise<Target>): void {
  test(`${name}: markers go to every partition behind what they are about, and are no values below`, async () => {
    const target = await open()
    const codec = { decode: (record: RecordView) => ({ text: record.valueText() ?? '', at: record.timestamp }) }
    const above = definePipeline({
      name: `above-${name}`,
      build: (records) => ({
        out: toTopic(records.pipe(decode(codec), eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 })), {
          topic: target.topic,
          encode: ({ text }) => text,
          by: ({ text }) => text,
          at: ({ at }) => at,
          markers: true,
        }),
      }),
    })
    const below = definePipeline({
      name: `below-${name}`,
      build: (records) => ({
        counts: toDestination(
          records.pipe(
            decode(codec),
            upstreamTime({ of: ({ at }) => at }),
            tumblingWindow({ name: '10s', sizeMs: 10_000, by: ({ text }) => text }),
            aggregateWindow({
              initial: () => 0,
              add: (count) => count + 1,
              result: (count, { key, start }) => ({ text: `${key} ${start - begin} ${count}`, at: start }),
            }),
          ),
          {
            name: 'counts',
            encode: ({ text, at }) => ({ time: at, key: null, value: Buffer.from(text) }),
            open: () => ({
              claim: async () => null,
              send: async (messages) => {
                for (const { value } of messages) counts.push(String(value))
              },
              close: async () => undefined,
            }),
          },
        ),
      }),
    })
    const begin = 1_723_075_200_000
    const counts: string[] = []
    const source = new MemoryLog({ topic: 'in', partitions: 2 })
    const store = new PostgresCheckpointStore(db.connection, { schema: db.schema })
    const add = (partition: number, ...seconds: readonly number[]) =>
      source.add(
        ...seconds.map((at, i) => ({ partition, value: `key ${i % 7}`, timestamp: begin + at * 1_000, headers: [] })),
      )
    const run = async (pipeline: Pipeline, from: LogSource) => {
      const { openTopic } = target
      const worker = new Worker({ pipeline, source: from, openTopic, store, archive: null, clock: systemClock })
      const running = worker.run()
      worker.stop('drain')
      await running
      return worker.status().map(({ watermark }) => watermark)
    }
    add(0, ...Array.from({ length: 40 }, (_, i) => i))
    add(1, ...Array.from({ length: 15 }, (_, i) => i))
    await run(above, source)
    const slowest = begin + 14_000 - 1
    expect(await run(below, target.source)).toEqual(Array.from({ length: partitions }, () => slowest))
    // Ten values of each task: each of seven keys once, and three of them twice.
    expect(counts.sort()).toEqual([0, 1, 2, 3, 4, 5, 6].map((key) => `key ${key} 0 ${key < 3 ? 4 : 2}`))
    add(1, 40)
    await run(above, source)
    expect(await run(below, target.source)).toEqual(Array.from({ length: partitions }, () => begin + 39_000 - 1))
    const { rows } = await db.pool.query('SELECT 1 FROM dead_letter WHERE pipeline LIKE $1', [`%-${name}`])
    expect(rows).toEqual([])
    await target.close()
    await store.close()
  })
}

describe('an outlet to a topic of', { timeout: 60_000 }, () => {
  hopLaw('memory', async () => {
    const log = new MemoryLog({ topic: 'hop', partitions })
    return { topic: 'hop', openTopic: async () => log.outgoing(), source: log, close: async () => {} }
  })

  hopLaw('embedded', async () => {
    const { pool } = db
    const source = await EmbeddedLog.open({ pool, topic: 'hop', partitions })
    return { topic: 'hop', openTopic: embeddedTopics({ pool }), source, close: () => source.close() }
  })

  law('memory', async () => {
    const log = new MemoryLog({ topic: 'out', partitions })
    return { topic: 'out', openTopic: async () => log.outgoing(), source: log, close: async () => {} }
  })

  law('embedded', async () => {
    const { pool } = db
    const source = await EmbeddedLog.open({ pool, topic: 'out', partitions })
    return { topic: 'out', openTopic: embeddedTopics({ pool }), source, close: () => source.close() }
  })

  test('embedded: one that does not exist is made', async () => {
    const opened = await embeddedTopics({ pool: db.pool })('made')
    expect([7, 3].map((partition) => opened.partitionOf(null, partition))).toEqual([3, 3])
    await opened.writer.close()
  })
})

describe.skipIf(!hasKafka)(kafkaTitle('an outlet to a topic of'), { timeout: 120_000 }, () => {
  let kafka: SharedBroker
  beforeAll(async () => {
    kafka = await sharedBroker()
  }, 180_000)
  afterAll(() => kafka?.close())

  const open = async () => {
    const topic = await KafkaTopic.create(kafka.brokers, { partitions })
    const settings = kafkaSettings({ brokers: [...kafka.brokers] })
    const source = await openKafkaLog(settings, { topic: topic.name, group: uniqueName('group') })
    return {
      topic: topic.name,
      openTopic: kafkaTopics(settings, { compression: 'none' }),
      source,
      close: async () => {
        await source.close()
        await topic.close()
      },
    }
  }

  law('kafka', open)
  hopLaw('kafka', open)
})

async function recordsOf(source: LogSource): Promise<string[][]> {
  const view = new RecordView()
  const found: string[][] = []
  for (const partition of await source.partitions()) {
    const reader = source.reader(partition)
    const { next } = await reader.bounds()
    const records: string[] = []
    reader.seek(0)
    for (let offset = 0; offset < next; ) {
      const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 500 })
      if (batch === null) break
      while (batch.read(view)) {
        const [length] = view.headers()
        records.push(
          `${view.keyText()} ${view.valueText()?.slice(0, 20) ?? null} ${String(Buffer.from(length?.value ?? []))}`,
        )
        expect(view.timestamp).toBeGreaterThanOrEqual(1_723_075_200_000)
      }
      offset = batch.nextOffset
    }
    await reader.close()
    found.push(records)
  }
  return found
}
