import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { decode } from '../../../src/operators/decode.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import type { OpenOutgoingTopic } from '../../../src/runtime/log/log.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import { migrate } from '../../../src/sinks/postgres/migrate.ts'
import { dropState } from '../../../src/sinks/postgres/stateDrops.ts'
import { toTopic } from '../../../src/sinks/toTopic.ts'
import { kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'
import { kafkaTopics } from '../../../src/sources/kafka/producer/kafkaTopics.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker } from '../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../support/kafkaTopic.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'
import { topicContents } from '../../support/topicContents.ts'

const migrationOfIdentity = 16

describe.skipIf(!hasKafka)(kafkaTitle('messages to a topic of Kafka'), { timeout: 120_000 }, () => {
  let kafka: SharedBroker
  let to: KafkaTopic
  const databases: TestDatabase[] = []
  beforeAll(async () => {
    kafka = await sharedBroker()
  }, 180_000)
  afterAll(() => kafka?.close())
  beforeEach(async () => {
    to = await KafkaTopic.create(kafka.brokers)
  })
  afterEach(async () => {
    await to.close()
    for (const db of databases.splice(0)) await db.close()
  })

  const database = async () => {
    const db = await testDatabase()
    databases.push(db)
    return db
  }
  const settings = () => kafkaSettings({ brokers: [...kafka.brokers] })
  const topics = () => kafkaTopics(settings())
  const log = (values: readonly string[]) => {
    const made = new MemoryLog({ topic: 'readings', partitions: 1, clock: systemClock })
    made.add(...values.map((value) => ({ value })))
    return made
  }
  const contents = async () => {
    const source = await openKafkaLog(settings(), { topic: to.name, group: to.name })
    try {
      return (await topicContents(source)).map(({ value }) => value)
    } finally {
      await source.close()
    }
  }

  /** Reads all of the log, and sends it on. */
  async function forward(db: TestDatabase, source: MemoryLog, openTopic: OpenOutgoingTopic) {
    const pipeline = definePipeline({
      name: 'forward',
      build: (records) => ({
        sent: toTopic(records.pipe(decode({ decode: (record) => record.valueText() ?? undefined })), {
          topic: to.name,
          encode: (value) => value,
          at: () => 1_000,
        }),
      }),
    })
    const store = new PostgresCheckpointStore(db.connection, { schema: db.schema })
    const worker = new Worker({ pipeline, source, openTopic, store, archive: null, clock: systemClock })
    const running = worker.run()
    running.catch(() => undefined)
    try {
      worker.stop('drain')
      await running
    } finally {
      await store.close()
    }
  }

  const committed = async (db: TestDatabase) => {
    const { rows } = await db.pool.query<{ next: number }>(
      'SELECT coalesce(max(next_offset), 0)::int AS next FROM stream_task',
    )
    return rows[0]?.next ?? 0
  }
  const unsent = async (db: TestDatabase) => {
    const { rows } = await db.pool.query<{ count: number }>('SELECT count(*)::int AS count FROM outbox')
    return rows[0]?.count
  }

  test('of two databases with a pipeline of one name are all there', async () => {
    const [one, other] = [await database(), await database()]
    await forward(one, log(['a1', 'a2', 'a3', 'a4']), topics())
    await forward(other, log(['b1', 'b2', 'b3', 'b4', 'b5', 'b6']), topics())
    expect((await contents()).toSorted()).toEqual(['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3', 'b4', 'b5', 'b6'])
    expect(await unsent(other)).toBe(0)
  })

  test('begin anew after the state of the pipeline was dropped', async () => {
    const db = await database()
    await forward(db, log(['a1', 'a2']), topics())
    const client = await db.pool.connect()
    await dropState(client, 'forward')
    client.release()
    await forward(db, log(['a1', 'a2', 'a3']), topics())
    expect(await contents()).toEqual(['a1', 'a2', 'a1', 'a2', 'a3'])
  })

  describe('of a database that an earlier release has sent from', () => {
    /** What that release did: the place stood under the names alone. */
    const ofBefore = (most: number): OpenOutgoingTopic => {
      let appends = 0
      return async (name) => {
        const { writer, partitionOf, partitions } = await topics()(name)
        return {
          partitionOf,
          partitions,
          writer: {
            claim: async (producer) => writer.claim(producer.replace(/@.*/, '')),
            append: async (records, position) => {
              appends += 1
              if (appends > most) throw new Error('the release before has ended here')
              await writer.append(records, position.replace(/ .*/, ''))
            },
            close: () => writer.close(),
          },
        }
      }
    }
    /** Back to the tables of before, and through the migration as a deployment goes through it. */
    const upgrade = async ({ pool, schema }: TestDatabase) => {
      await pool.query(
        `ALTER TABLE stream_task DROP COLUMN outbox_id, DROP COLUMN is_outbox_named, DROP COLUMN leader_epoch, DROP COLUMN commits`,
      )
      await pool.query('ALTER TABLE task_input DROP COLUMN leader_epoch')
      await pool.query('DELETE FROM migration WHERE number = $1', [migrationOfIdentity])
      expect(await migrate(pool, schema)).toHaveLength(1)
    }

    test('go on without loss or repeat', async () => {
      const db = await database()
      const source = log(['a1', 'a2', 'a3'])
      await forward(db, source, ofBefore(1))
      source.add({ value: 'a4' }, { value: 'a5' })
      await expect(forward(db, source, ofBefore(0))).rejects.toThrow(/has ended here/)
      expect(await unsent(db)).toBe(2)
      await upgrade(db)
      source.add({ value: 'a6' })
      await forward(db, source, topics())
      expect(await contents()).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'a6'])
      expect(await unsent(db)).toBe(0)
      // And again, by the place as this release has written it.
      source.add({ value: 'a7' })
      await forward(db, source, topics())
      expect(await contents()).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7'])
    })

    test('are refused where another database sends under the name, and nothing of them is lost', async () => {
      const [one, other] = [await database(), await database()]
      await forward(one, log(['a1', 'a2', 'a3']), ofBefore(1))
      await upgrade(one)
      const readings = log(['b1', 'b2', 'b3', 'b4'])
      await expect(forward(other, readings, ofBefore(0))).rejects.toThrow()
      await upgrade(other)
      const more = log(['a1', 'a2', 'a3', 'a4'])
      await forward(one, more, topics())
      await expect(forward(other, readings, topics())).rejects.toThrow(
        /sends for outbox .*pipeline of the same name in another database.*state copy/,
      )
      expect(await unsent(other)).toBe(await committed(other))
      expect(await contents()).toEqual(['a1', 'a2', 'a3', 'a4'])
    })
  })
})
