import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { compressionsAlgorithms } from '@platformatic/kafka'
import { CompressionCodecs, CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withFileLock } from '../../../../src/embedded/fileLock.ts'
import type { LogSource } from '../../../../src/runtime/log/log.ts'
import { RecordView } from '../../../../src/runtime/log/record.ts'
import { kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../../src/sources/kafka/openKafkaLog.ts'
import { hasJavaCompiler, JAVA_CODECS, produceWithJava } from '../../../support/javaProducer.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../../../support/kafkaBroker.ts'
import { fetchJars, kafkaFolder, missingForBroker } from '../../../support/kafkaJars.ts'
import { KafkaTopic } from '../../../support/kafkaTopic.ts'
import { copyOf, type SeenRecord } from '../../../support/recordBatches.ts'

const RECORDS = 3_000
const CLIENTS = ['wire', 'kafkajs'] as const
const canRunJava = hasKafka && (await hasJavaCompiler()) && (await missingForBroker()) === null
const prefix = uniqueName('java')

let kafka: SharedBroker
let expected: Map<string, SeenRecord[]>
const topics: KafkaTopic[] = []

describe.skipIf(!canRunJava)(kafkaTitle('topics that the Java producer has written (needs a JDK)'), () => {
  beforeAll(async () => {
    kafka = await sharedBroker()
    for (const name of [...JAVA_CODECS, 'transactions']) {
      topics.push(await KafkaTopic.create(kafka.brokers, { name: prefix + name }))
    }
    // A broker that came with KAFKA_BROKERS has brought no jars.
    await withFileLock(`${kafkaFolder}/fetch.lock`, 300_000, fetchJars)
    expected = await produceWithJava(kafka.brokers, prefix, RECORDS)
  }, 180_000)

  afterAll(async () => {
    for (const topic of topics) await topic.close()
    await kafka?.close()
  })

  test.each(JAVA_CODECS.flatMap((codec) => CLIENTS.map((client) => [codec, client] as const)))(
    'are read record by record as they were sent: %s by %s',
    async (codec, client) => {
      const name = prefix + codec
      const source = await open(name, client)
      const seen = await readTo(source, RECORDS, 1 << 20)
      expect(seen).toEqual(expected.get(name))
      expect(await readTo(source, RECORDS, 1)).toEqual(seen)
      await source.close()
    },
  )

  test.each(CLIENTS)(
    'with transactions: what was committed is read, what was aborted or is still open is not, by %s',
    async (client) => {
      const name = `${prefix}transactions`
      const source = await open(name, client)
      const right = expected.get(name)!
      const { next } = await source.reader(0).bounds()
      expect(right.length).toBeGreaterThan(200)
      expect(next).toBeGreaterThan(right.at(-1)!.offset)
      for (const maxBytes of [1 << 20, 4_000, 1]) expect(await readTo(source, next, maxBytes)).toEqual(right)
      for (const { offset } of right.filter((_, index) => index % 37 === 0)) {
        expect(await readTo(source, next, 1 << 20, offset)).toEqual(right.filter((record) => record.offset >= offset))
      }
      await source.close()
    },
  )

  // Without the transactions: between aborted ones, the consumer of kafkajs leaves out records that were committed.
  test.each(JAVA_CODECS)('are read as the consumer of kafkajs reads them: %s', async (what) => {
    const name = prefix + what
    const source = await open(name)
    const { next } = await source.reader(0).bounds()
    const ours = await readTo(source, next, 1 << 20)
    expect(await readWithKafkajs(name, ours.length)).toEqual(ours)
    await source.close()
  })
})

function open(topic: string, client: (typeof CLIENTS)[number] = 'wire'): Promise<LogSource> {
  return openKafkaLog(kafkaSettings({ brokers: [...kafka.brokers], client }), { topic, group: uniqueName('group') })
}

async function readTo(source: LogSource, end: number, maxBytes: number, from = 0): Promise<SeenRecord[]> {
  const reader = source.reader(0)
  reader.seek(from)
  const view = new RecordView()
  const seen: SeenRecord[] = []
  for (let next = from; next < end; ) {
    const batch = await reader.fetch({ maxBytes, maxWaitMs: 500 })
    if (batch === null) throw new Error(`Nothing came at ${next}, before ${end}.`)
    while (batch.read(view)) seen.push(copyOf(view))
    next = batch.nextOffset
  }
  await reader.close()
  return seen
}

async function readWithKafkajs(topic: string, count: number): Promise<SeenRecord[]> {
  const codec = (decompress: (bytes: Buffer) => Buffer) => () => ({
    compress: async () => Promise.reject(new Error('only read')),
    decompress: async (bytes: Buffer) => decompress(bytes),
  })
  CompressionCodecs[CompressionTypes.GZIP] = codec(gunzipSync)
  CompressionCodecs[CompressionTypes.ZSTD] = codec(zstdDecompressSync)
  CompressionCodecs[CompressionTypes.Snappy] = codec((bytes) => compressionsAlgorithms.snappy.decompressSync(bytes))
  CompressionCodecs[CompressionTypes.LZ4] = codec((bytes) => compressionsAlgorithms.lz4.decompressSync(bytes))
  const consumer = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).consumer({
    groupId: uniqueName('kafkajs'),
  })
  const seen: SeenRecord[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) => {
      const { offset, timestamp, key, value } = message
      const hex = (bytes: Buffer | null) => (bytes === null ? null : bytes.toString('hex'))
      seen.push({ offset: Number(offset), timestamp: Number(timestamp), key: hex(key), value: hex(value) })
      if (seen.length >= count) resolve()
    },
  })
  await promise
  await consumer.disconnect()
  return seen
}
