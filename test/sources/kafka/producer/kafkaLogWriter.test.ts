import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ConfigurationError, RetryableError, TaskFencedError } from '../../../../src/runtime/errors.ts'
import type { LogReader, LogSource, LogWriter, OutgoingRecord } from '../../../../src/runtime/log/log.ts'
import { RecordView } from '../../../../src/runtime/log/record.ts'
import { openKafkajsLog } from '../../../../src/sources/kafka/kafkajs/kafkajsLog.ts'
import { kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import type { Compression } from '../../../../src/sources/kafka/producer/compressedBatch.ts'
import { openKafkaWriter } from '../../../../src/sources/kafka/producer/openKafkaWriter.ts'
import { openWireLog } from '../../../../src/sources/kafka/wire/wireLog.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker } from '../../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../../support/kafkaTopic.ts'

let kafka: SharedBroker

beforeAll(async () => {
  if (hasKafka) kafka = await sharedBroker()
}, 180_000)
afterAll(() => kafka?.close())

describe.skipIf(!hasKafka)(kafkaTitle('Kafka writer'), () => {
  let topic: KafkaTopic
  let source: LogSource
  const opened: { close(): Promise<void> }[] = []

  const settings = () => kafkaSettings({ brokers: [...kafka.brokers] })
  const writer = async (compression: Compression = 'zstd'): Promise<LogWriter> => {
    const made = await openKafkaWriter(settings(), { topic: topic.name, compression })
    opened.unshift(made)
    return made
  }

  beforeEach(async () => {
    topic = await KafkaTopic.create(kafka.brokers, { partitions: 3 })
    source = await openWireLog(settings(), { topic: topic.name, group: topic.name })
    opened.unshift(topic, source)
  })
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close()
  })

  test('a producer is new once, and from then on where its last append left it', async () => {
    const first = await writer()
    expect(await first.claim('ingest')).toEqual({ position: null })
    await first.append([record(0)], 'one')
    await first.append([record(1)], 'two')
    expect(await (await writer()).claim('ingest')).toEqual({ position: 'two' })
    expect(await valuesOf(source, 0)).toEqual(['value 0', 'value 1'])
  })

  test('a claim without an append leaves the position where it was', async () => {
    const first = await writer()
    await first.claim('ingest')
    await first.append([record(0)], 'one')
    for (let claim = 0; claim < 3; claim++) expect(await (await writer()).claim('ingest')).toEqual({ position: 'one' })
  })

  test('a position is found behind hundreds of another producer, and one of 100 KB comes back whole', async () => {
    const [left, right] = [await writer(), await writer()]
    const long = 'x'.repeat(100_000)
    await left.claim('left')
    await left.append([], long)
    await right.claim('right')
    for (let count = 0; count < 300; count++) await right.append([], String(count))
    expect(await (await writer()).claim('left')).toEqual({ position: long })
    expect(await (await writer()).claim('right')).toEqual({ position: '299' })
    expect(await source.reader(0).bounds()).toMatchObject({ earliest: 0, next: 0 })
  })

  test('a writer whose producer was claimed by another appends nothing more', async () => {
    const zombie = await writer()
    await zombie.claim('ingest')
    await zombie.append([record(0)], 'one')
    const heir = await writer()
    await heir.claim('ingest')
    await expect(zombie.append([record(1)], 'zombie')).rejects.toBeInstanceOf(TaskFencedError)
    await heir.append([record(1)], 'two')
    await expect(zombie.append([record(2)], 'zombie')).rejects.toBeInstanceOf(TaskFencedError)
    expect(await (await writer()).claim('ingest')).toEqual({ position: 'two' })
    expect(await valuesOf(source, 0)).toEqual(['value 0', 'value 1'])
  })

  test('producers of different names do not fence each other', async () => {
    const [left, right] = [await writer(), await writer()]
    await left.claim('left')
    await right.claim('right')
    await Promise.all([left.append([record(0)], 'l'), right.append([record(1)], 'r')])
    await left.append([record(2)], 'l2')
    expect((await valuesOf(source, 0)).sort()).toEqual(['value 0', 'value 1', 'value 2'])
  })

  test('an append that is refused for one record appends none, keeps the position and the producer', async () => {
    const made = await writer()
    await made.claim('ingest')
    await made.append([record(0)], 'kept')
    await expect(made.append([record(1), record(2, 3)], 'lost')).rejects.toBeInstanceOf(ConfigurationError)
    const broken = { partition: 0, timestamp: 0.5, key: null, value: null }
    await expect(made.append([record(1, 1), broken], 'lost')).rejects.toBeInstanceOf(ConfigurationError)
    await made.append([record(3)], 'after')
    expect(await valuesOf(source, 0)).toEqual(['value 0', 'value 3'])
    expect(await valuesOf(source, 1)).toEqual([])
    expect(await (await writer()).claim('ingest')).toEqual({ position: 'after' })
  })

  test('what the topic does not take leaves nothing behind, names the setting and does not hold readers up', async () => {
    const made = await writer('none')
    await made.claim('ingest')
    const huge = { partition: 0, timestamp: 1, key: null, value: Buffer.alloc(9 << 20) }
    await expect(made.append([record(0, 1), huge], 'lost')).rejects.toThrow(/max\.message\.bytes/)
    expect(await valuesOf(source, 0)).toEqual([])
    // Nothing was sent, so the producer is as it was.
    await made.append([record(1, 1)], 'one')
    expect(await valuesOf(source, 1)).toEqual(['value 1'])
    expect(await made.claim('ingest')).toEqual({ position: 'one' })
  })

  test('a refusal names the setting also where the answer begins with what else went wrong', async () => {
    const narrow = await KafkaTopic.create(kafka.brokers, {
      partitions: 4,
      configs: { 'message.timestamp.after.max.ms': '3600000' },
    })
    const made = await openKafkaWriter(settings(), { topic: narrow.name })
    opened.unshift(narrow, made)
    await made.claim('ingest')
    const tomorrow = Date.now() + 86_400_000
    const ahead = [0, 1, 2, 3].map((partition) => ({
      ...record(0, partition),
      timestamp: tomorrow * Math.sign(partition),
    }))
    const refused = made.append(ahead, 'lost')
    await expect(refused).rejects.toBeInstanceOf(ConfigurationError)
    await expect(refused).rejects.toThrow('message.timestamp.after.max.ms')
    expect(await made.claim('ingest')).toEqual({ position: null })
  })

  test('a topic of positions that would forget them is refused, and says what to set', async () => {
    const positions = async (configs: Readonly<Record<string, string>>) => {
      const named = await KafkaTopic.create(kafka.brokers, { partitions: 1 })
      const other = await KafkaTopic.create(kafka.brokers, { name: `${named.name}.positions`, configs })
      opened.unshift(named, other)
      const made = await openKafkaWriter(settings(), { topic: named.name })
      await made.close()
    }
    const forgetful = positions({ 'cleanup.policy': 'delete', 'retention.ms': '604800000' })
    await expect(forgetful).rejects.toBeInstanceOf(ConfigurationError)
    await expect(forgetful).rejects.toThrow(/retention\.ms=604800000.*append everything anew.*cleanup\.policy=compact/)
    await expect(positions({ 'cleanup.policy': 'compact,delete', 'retention.bytes': '1000000' })).rejects.toThrow(
      /compact/,
    )
    await positions({ 'cleanup.policy': 'delete', 'retention.ms': '-1' })
    await positions({ 'cleanup.policy': 'compact', 'retention.ms': '604800000' })
  })

  test('an append before any claim is refused', async () => {
    await expect((await writer()).append([record(0)], 'one')).rejects.toBeInstanceOf(ConfigurationError)
  })

  test('a topic that does not exist is a matter of configuration', async () => {
    await expect(openKafkaWriter(settings(), { topic: `${topic.name}-none` })).rejects.toBeInstanceOf(
      ConfigurationError,
    )
  })

  test('a broker that is not there may come', async () => {
    const nowhere = kafkaSettings({ brokers: ['127.0.0.1:1'], connectTimeoutMs: 500 })
    await expect(openKafkaWriter(nowhere, { topic: topic.name })).rejects.toBeInstanceOf(RetryableError)
  })

  test.each<Compression>(['none', 'gzip', 'zstd'])(
    'order, keys, values and times survive %s, for both clients',
    async (compression) => {
      const made = await writer(compression)
      await made.claim('ingest')
      const sent: OutgoingRecord[] = []
      for (let append = 0; append < 3; append++) {
        const list = Array.from({ length: 20_000 }, (_, index) => record(append * 20_000 + index, index % 3))
        await made.append(list, String(append))
        sent.push(...list)
      }
      const odd: OutgoingRecord[] = [
        { partition: 0, timestamp: -1, key: null, value: null },
        { partition: 0, timestamp: 32_503_680_000_000, key: Buffer.alloc(0), value: Buffer.alloc(0) },
        { partition: 0, timestamp: -86_400_000, key: Buffer.from('k'), value: Buffer.alloc(1 << 20, 'millrace') },
      ]
      await made.append(odd, 'odd')
      sent.push(...odd)
      const kafkajs = await openKafkajsLog(settings(), { topic: topic.name, group: topic.name })
      opened.unshift(kafkajs)
      for (const log of [source, kafkajs]) {
        for (const partition of [0, 1, 2]) {
          const expected = sent.filter((each) => each.partition === partition).map(asText)
          const records = await recordsOf(log.reader(partition))
          expect(records.length).toBe(expected.length)
          expect(records).toEqual(expected)
        }
      }
    },
  )
})

const asText = ({ timestamp, key, value }: OutgoingRecord) =>
  `${timestamp} ${key === null ? null : `k${Buffer.from(key)}`} ${value === null ? null : `v${Buffer.from(value)}`}`

async function valuesOf(source: LogSource, partition: number): Promise<(string | undefined)[]> {
  return (await recordsOf(source.reader(partition))).map((text) => text.split(' v')[1])
}

/** All that is committed, once the markers of the last transaction are written. */
async function recordsOf(reader: LogReader): Promise<string[]> {
  const view = new RecordView()
  const records: string[] = []
  for (let batch = await reader.fetch({ maxBytes: 4 << 20, maxWaitMs: 300 }); batch !== null; ) {
    while (batch.read(view)) {
      const key = view.keyText()
      const value = view.valueText()
      records.push(`${view.timestamp} ${key === null ? null : `k${key}`} ${value === null ? null : `v${value}`}`)
    }
    batch = await reader.fetch({ maxBytes: 4 << 20, maxWaitMs: 300 })
  }
  return records
}

function record(number: number, partition = 0): OutgoingRecord {
  const value = Buffer.from(`value ${number}`)
  return { partition, timestamp: 1_700_000_000_000 + number, key: Buffer.from(`key${number}`), value }
}
