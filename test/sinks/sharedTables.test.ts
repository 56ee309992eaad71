import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EmbeddedLog } from '../../src/embedded/log/embeddedLog.ts'
import { enrich } from '../../src/operators/enrich.ts'
import { toTable } from '../../src/operators/toTable.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Codec, Rejection } from '../../src/runtime/log/codec.ts'
import type { LogSource, LogWriter } from '../../src/runtime/log/log.ts'
import { definePipeline, type Pipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { Worker } from '../../src/runtime/worker/worker.ts'
import { PostgresCheckpointStore } from '../../src/sinks/postgres/checkpointStore.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../src/sources/kafka/openKafkaLog.ts'
import { forgetfulStore } from '../support/forgetfulStore.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../support/kafkaBroker.ts'
import { KafkaTopic } from '../support/kafkaTopic.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

interface OpenedTopic {
  readonly source: LogSource
  readonly writer: LogWriter
  close(): Promise<void>
}

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await db.pool.query('CREATE TABLE seen (pipeline text NOT NULL, value text NOT NULL)')
})
afterAll(() => db?.close())

/** `key=what`; what begins with `!` is refused. */
const pair: Codec<{ readonly key: string; readonly what: string }> = {
  decode: (record) => {
    const [key = '', what = ''] = (record.valueText() ?? '').split('=')
    return what.startsWith('!') ? new Rejection('refused', what) : { key, what }
  },
}

function pipelineOver(name: string, orders: string, names: string): Pipeline {
  return definePipeline({
    name,
    inputs: {
      orders: { topic: orders, codec: pair },
      names: { topic: names, codec: pair, movesTime: false, partitions: 'all' },
    },
    build: ({ orders, names }) => {
      const known = toTable(names, { name: 'names', by: ({ key }) => key, value: ({ what }) => what, maxKeys: 100 })
      return {
        seen: toPostgres(
          orders.pipe(
            enrich(known, { by: ({ key }) => key, with: ({ key, what }, found) => `${what} ${found ?? key}` }),
          ),
          {
            mode: 'append',
            name: 'seen',
            columns: [
              { name: 'pipeline', type: 'text', of: () => name },
              { name: 'value', type: 'text', of: (value) => value },
            ],
          },
        ),
      }
    },
  }) as Pipeline
}

let time = 1_000
const recordsOf = (...values: readonly (readonly [partition: number, value: string])[]) =>
  values.map(([partition, value]) => {
    time += 1
    return { partition, timestamp: time, key: Buffer.from(value), value: Buffer.from(value) }
  })

/** Two tasks beside a topic of three partitions, whose every third commit is stored and answered with an error. */
function law(name: string, open: (partitions: number) => Promise<OpenedTopic>): void {
  test(`${name}: each task knows all rows, from the first record on, and whatever is lost nothing counts twice`, async () => {
    const [orders, names] = [await open(2), await open(3)]
    const pipeline = pipelineOver(`shared-${name}`, orders.source.topic, names.source.topic)
    const store = new PostgresCheckpointStore(db.connection, { schema: db.schema })
    const failing = forgetfulStore(store)
    const run = async () => {
      const worker = new Worker({
        pipeline,
        source: orders.source,
        others: [names.source],
        store: failing,
        archive: null,
        clock: systemClock,
        limits: { maxUncommittedRecords: 1, retryFirstMs: 1 },
      })
      const running = worker.run()
      worker.stop('drain')
      await running
    }
    const append = async ({ writer }: OpenedTopic, records: ReturnType<typeof recordsOf>) => {
      await writer.claim('p')
      await writer.append(records, String(time))
    }
    const values = async () => {
      const { rows } = await db.pool.query<{ value: string }>('SELECT value FROM seen WHERE pipeline = $1', [
        pipeline.name,
      ])
      return rows.map(({ value }) => value).sort()
    }
    await append(names, recordsOf([0, 'a=Ada'], [1, 'b=Bob'], [2, 'c=Cy'], [2, 'x=!bad']))
    await append(orders, recordsOf([0, 'a=0a'], [0, 'c=0c'], [1, 'b=1b'], [1, 'a=1a']))
    await run()
    expect(await values()).toEqual(['0a Ada', '0c Cy', '1a Ada', '1b Bob'])
    await append(names, recordsOf([0, 'a=Anna'], [1, 'd=Dee']))
    await append(orders, recordsOf([0, 'a=0a2'], [1, 'd=1d'], [1, 'c=1c']))
    await run()
    expect(await values()).toEqual(['0a Ada', '0a2 Anna', '0c Cy', '1a Ada', '1b Bob', '1c Cy', '1d Dee'])
    const { rows: letters } = await db.pool.query(
      'SELECT topic, partition, "offset"::integer FROM dead_letter WHERE pipeline = $1',
      [pipeline.name],
    )
    expect(letters).toEqual([{ topic: names.source.topic, partition: 2, offset: 1 }])
    const { rows: read } = await db.pool.query(
      'SELECT partition, input_partition, next_offset::integer FROM task_input WHERE pipeline = $1 ORDER BY 1, 2',
      [pipeline.name],
    )
    expect(read.map((row) => [row.partition, row.input_partition, row.next_offset])).toEqual([
      ...[0, 1].flatMap((task) => [
        [task, 0, 2],
        [task, 1, 2],
        [task, 2, 2],
      ]),
    ])
    await Promise.all([orders.close(), names.close(), store.close()])
  })
}

describe('a table that every task reads whole', { timeout: 120_000 }, () => {
  law('embedded', async (partitions) => {
    const source = await EmbeddedLog.open({ pool: db.pool, topic: uniqueName('shared'), partitions })
    return { source, writer: source.writer(), close: () => source.close() }
  })
})

if (!hasKafka) console.warn('SKIPPED: tables that every task reads whole, on Kafka: there is no broker')
describe.skipIf(!hasKafka)(kafkaTitle('a table that every task reads whole'), { timeout: 180_000 }, () => {
  let kafka: SharedBroker
  beforeAll(async () => {
    kafka = await sharedBroker()
  }, 180_000)
  afterAll(() => kafka?.close())

  for (const client of ['wire', 'kafkajs'] as const) {
    law(client, async (partitions) => {
      const topic = await KafkaTopic.create(kafka.brokers, { partitions })
      const settings = kafkaSettings({ brokers: [...kafka.brokers], client, heartbeatIntervalMs: 100 })
      const source = await openKafkaLog(settings, { topic: topic.name, group: uniqueName('group') })
      return {
        source,
        writer: topic.writer(),
        close: async () => {
          await source.close()
          await topic.close()
        },
      }
    })
  }
})
