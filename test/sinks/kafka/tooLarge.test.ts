import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decode } from '../../../src/operators/decode.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import { toTopic } from '../../../src/sinks/toTopic.ts'
import { kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'
import { kafkaTopics } from '../../../src/sources/kafka/producer/kafkaTopics.ts'
import { openKafkaWriter } from '../../../src/sources/kafka/producer/openKafkaWriter.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { runCommand } from '../../support/commandLine.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker } from '../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../support/kafkaTopic.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

if (!hasKafka) console.warn('SKIPPED: records that are larger than a topic takes: there is no broker')

const limit = 4_000
/** That no compression makes smaller. */
const noise = (bytes: number) => randomBytes(bytes).toString('base64').slice(0, bytes)

describe.skipIf(!hasKafka)(kafkaTitle('a topic with a small max.message.bytes'), { timeout: 120_000 }, () => {
  let broker: SharedBroker
  let db: TestDatabase
  const folder = mkdtempSync(join(tmpdir(), 'millrace-large-'))
  const topics: KafkaTopic[] = []
  beforeAll(async () => {
    broker = await sharedBroker()
    db = await testDatabase()
  }, 180_000)
  afterAll(async () => {
    for (const topic of topics) await topic.close()
    await db?.close()
    await broker?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const settings = () => kafkaSettings({ brokers: [...broker.brokers] })
  async function smallTopic(): Promise<string> {
    const topic = await KafkaTopic.create(broker.brokers, { configs: { 'max.message.bytes': String(limit) } })
    topics.push(topic)
    return topic.name
  }
  async function valuesOf(topic: string): Promise<string[]> {
    const source = await openKafkaLog(settings(), { topic, group: topic })
    const reader = source.reader(0)
    const view = new RecordView()
    const values: string[] = []
    reader.seek(0)
    for (let batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 500 }); batch !== null; ) {
      while (batch.read(view)) values.push(view.valueText() ?? '')
      batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 500 })
    }
    await source.close()
    return values
  }

  test('takes an append of many records in batches that fit, and tells the record that does not', async () => {
    const topic = await smallTopic()
    const writer = await openKafkaWriter(settings(), { topic, compression: 'none' })
    await writer.claim('one')
    const values = Array.from({ length: 100 }, () => noise(300))
    await writer.append(values.map(record), '1')
    const appended = writer.append([record(noise(50)), record(noise(9_000))], '2')
    await expect(appended).rejects.toBeInstanceOf(ConfigurationError)
    await expect(appended).rejects.toThrow(
      /record of key "key" for .*\/0 takes 9\d\d\d bytes.*takes 4000 \(max\.message\.bytes\).*Raise/,
    )
    await writer.append([record('after')], '2')
    await writer.close()
    expect(await valuesOf(topic)).toEqual([...values, 'after'])
  })

  test('has the messages of an outlet but the one that does not fit, which is set aside with the reason', async () => {
    const topic = await smallTopic()
    const pipeline = definePipeline({
      name: 'large',
      build: (records) => ({
        out: toTopic(records.pipe(decode({ decode: (one) => one.valueText() ?? '' })), {
          topic,
          encode: (text) => text,
          by: () => 'key',
          at: () => 1,
        }),
      }),
    })
    const source = new MemoryLog({ topic: 'in', partitions: 1 })
    const store = new PostgresCheckpointStore(db.connection, { schema: db.schema })
    const run = async () => {
      const openTopic = kafkaTopics(settings())
      const worker = new Worker({ pipeline, source, openTopic, store, archive: null, clock: systemClock })
      const running = worker.run()
      worker.stop('drain')
      await running
    }
    source.add({ value: 'first' }, { value: noise(20_000) }, { value: 'third' })
    await run()
    expect(await valuesOf(topic)).toEqual(['first', 'third'])
    const { rows } = await db.pool.query('SELECT refusal FROM outbox WHERE refused_at IS NOT NULL')
    expect(rows).toEqual([{ refusal: expect.stringContaining('max.message.bytes') }])
    source.add({ value: 'fourth' })
    await run()
    expect(await valuesOf(topic)).toEqual(['first', 'third', 'fourth'])
  })

  test('ends an ingest at the line that does not fit, with the topic and the number to raise', async () => {
    const topic = await smallTopic()
    const file = join(folder, 'lines.jsonl')
    writeFileSync(file, ['first', noise(9_000), 'third'].map((text) => `${JSON.stringify({ text })}\n`).join(''))
    const env = { KAFKA_BROKERS: broker.brokers.join(',') }
    const ended = await runCommand(['ingest', file, '--topic', topic], { cwd: folder, env })
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain(`Raise max.message.bytes of ${topic}`)
  })
})

function record(value: string) {
  return { partition: 0, timestamp: 1, key: Buffer.from('key'), value: Buffer.from(value) }
}
