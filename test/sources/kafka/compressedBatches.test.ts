import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'
import { encodeRecordBatch } from '../../../src/sources/recordBatch/encode.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker } from '../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../support/kafkaTopic.ts'
import { CODECS, compressed, readAll } from '../../support/recordBatches.ts'

const clients = ['wire', 'kafkajs'] as const
const mebibyte = 1 << 20

let kafka: SharedBroker

beforeAll(async () => {
  if (hasKafka) kafka = await sharedBroker()
}, 180_000)
afterAll(() => kafka?.close())

describe.skipIf(!hasKafka).each(clients)(kafkaTitle('compressed batches through %s'), (client) => {
  async function fetchOne(topic: KafkaTopic, maxBatchBytes = 64 * mebibyte) {
    const settings = kafkaSettings({ brokers: [...kafka.brokers], client, maxBatchBytes })
    const source = await openKafkaLog(settings, { topic: topic.name, group: 'any' })
    const batch = await source.reader(0).fetch({ maxBytes: 8 * mebibyte, maxWaitMs: 2_000 })
    if (batch === null) throw new Error('nothing came')
    return { batch, close: () => source.close() }
  }

  test('that hold more than maxBatchBytes are refused before memory is given to them, whatever the codec', async () => {
    const plain = encodeRecordBatch(0, [{ timestamp: 1, key: null, value: Buffer.alloc(200 * mebibyte) }])
    for (const { code, pack } of CODECS) {
      // Of snappy and lz4 a bomb is no smaller than a fiftieth or so of what it holds.
      const part =
        code === 2 || code === 3
          ? encodeRecordBatch(0, [{ timestamp: 1, key: null, value: Buffer.alloc(100 * mebibyte) }])
          : plain
      const topic = await KafkaTopic.create(kafka.brokers)
      await topic.produce(0, compressed(part, code, pack))
      const before = process.memoryUsage().rss
      const { batch, close } = await fetchOne(topic, mebibyte)
      expect(() => readAll(batch)).toThrow(ConfigurationError)
      expect(process.memoryUsage().rss - before).toBeLessThan(60 * mebibyte)
      await close()
      const raised = await fetchOne(topic, 256 * mebibyte)
      expect(() => raised.batch.read(new RecordView())).not.toThrow()
      await raised.close()
      await topic.close()
    }
  }, 60_000)

  test('name the setting that lets them in', async () => {
    const topic = await KafkaTopic.create(kafka.brokers)
    const { code, pack } = CODECS[0]!
    await topic.produce(
      0,
      compressed(encodeRecordBatch(0, [{ timestamp: 1, key: null, value: Buffer.alloc(2 * mebibyte) }]), code, pack),
    )
    const { batch, close } = await fetchOne(topic, mebibyte)
    expect(() => readAll(batch)).toThrow('KAFKA_MAX_BATCH_BYTES')
    await close()
    await topic.close()
  })

  test('give keys, values and headers as they were written, whatever they are called', async () => {
    const text = (value: string) => Buffer.from(value)
    const headers = [
      { key: 'binary', value: Buffer.from([0, 0xff, 0x80]) },
      { key: 'toString', value: text('a') },
      { key: 'toString', value: null },
      { key: '__proto__', value: text('b') },
      { key: '7', value: Buffer.alloc(0) },
    ]
    const records = [
      { timestamp: 1, key: text('k'), value: text('v'), headers },
      { timestamp: 3, key: null, value: null, headers },
      { timestamp: 4, key: Buffer.alloc(0), value: null, headers: [] },
    ]
    const plain = encodeRecordBatch(0, records)
    const topic = await KafkaTopic.create(kafka.brokers)
    await topic.produce(0, plain)
    for (const { code, pack } of CODECS) await topic.produce(0, compressed(plain, code, pack))
    const { batch, close } = await fetchOne(topic)
    const view = new RecordView()
    const seen: unknown[] = []
    while (batch.read(view))
      seen.push({ timestamp: view.timestamp, key: view.keyCopy(), value: view.valueCopy(), headers: view.headers() })
    expect(seen).toEqual(Array.from({ length: CODECS.length + 1 }, () => records).flat())
    await close()
    await topic.close()
  })
})
