import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { ConfigurationError, OffsetOutOfRangeError, RetryableError } from '../../../../src/runtime/errors.ts'
import type { LogReader, LogSource } from '../../../../src/runtime/log/log.ts'
import { RecordView } from '../../../../src/runtime/log/record.ts'
import { openKafkajsLog } from '../../../../src/sources/kafka/kafkajs/kafkajsLog.ts'
import { type KafkaSettingsInput, kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import { encodeRecordBatch } from '../../../../src/sources/recordBatch/encode.ts'
import { type Broker, removeBrokerData, saslUser, startBroker } from '../../../support/brokerProcess.ts'
import { canStartBroker, startTitle, uniqueName } from '../../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../../support/kafkaTopic.ts'

/** Of its own: it is killed. */
let broker: Broker
const dataDir = mkdtempSync(join(tmpdir(), 'millrace-broker-'))

beforeAll(async () => {
  if (canStartBroker) broker = await startBroker({ dataDir })
}, 180_000)
afterAll(async () => {
  await broker?.kill()
  removeBrokerData(dataDir)
})

describe.skipIf(!canStartBroker)(startTitle('a Kafka log through kafkajs in trouble'), () => {
  let topic: KafkaTopic
  const opened: { close(): Promise<void> }[] = []

  const open = async (changes: Partial<KafkaSettingsInput> = {}, name = topic.name): Promise<LogSource> => {
    const timeouts = { requestTimeoutMs: 1_500, connectTimeoutMs: 500, metadataMaxAgeMs: 100 }
    const settings = kafkaSettings({ brokers: [...broker.brokers], client: 'kafkajs', ...timeouts, ...changes })
    const source = await openKafkajsLog(settings, { topic: name, group: uniqueName('group') })
    opened.unshift(source)
    return source
  }

  beforeEach(async () => {
    await broker.start()
    topic = await KafkaTopic.create(broker.brokers)
    await fill(topic, 0, 10)
  })
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.close()
    await topic.close().catch(() => undefined)
  })

  test('a broker that is killed is a RetryableError, and the same reader goes on where it was', async () => {
    const reader = (await open()).reader(0)
    expect(await take(reader, 10)).toEqual(range(0, 10))
    await broker.kill()
    const error = await failureOf(reader, RetryableError)
    expect(error).toBeInstanceOf(RetryableError)
    expect(error).toMatchObject({ topic: topic.name, partition: 0, offset: 10 })
    await broker.start()
    await refill(topic, 10, 20)
    await vi.waitFor(async () => expect(await take(reader, 10)).toEqual(range(10, 20)), 10_000)
  })

  test('a broker that hangs holds a fetch for two seconds more than it may wait', async () => {
    const reader = (await open({ metadataMaxAgeMs: 60_000 })).reader(0)
    await take(reader, 10)
    broker.suspend()
    try {
      const startedAt = performance.now()
      expect(await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 100 })).toBeNull()
      expect(performance.now() - startedAt).toBeLessThan(4_000)
    } finally {
      broker.resume()
    }
  })

  test('a topic that was deleted and made anew is not read as the old one, whether it is shorter or longer', async () => {
    for (const length of [5, 50]) {
      const reader = (await open()).reader(0)
      await take(reader, 5)
      await topic.delete()
      await vi.waitFor(() => topic.create(1), { timeout: 10_000, interval: 100 })
      await fill(topic, 1_000, 1_000 + length)
      await sleep(150)
      const error = await failureOf(reader)
      expect(error).toBeInstanceOf(OffsetOutOfRangeError)
      expect(error.message).toMatch(/deleted and made anew/)
    }
  })

  test('a topic that was deleted says so', async () => {
    const reader = (await open()).reader(0)
    await take(reader, 10)
    await topic.delete()
    await sleep(150)
    const error = await failureOf(reader)
    expect(error).toBeInstanceOf(OffsetOutOfRangeError)
    expect(error.message).toMatch(/deleted/)
  })

  test('a topic that does not exist is a matter of configuration, and nobody there may pass', async () => {
    await expect(open({}, 'no-such-topic')).rejects.toThrow(ConfigurationError)
    await expect(open({}, 'no-such-topic')).rejects.toThrow(/has no topic no-such-topic/)
    await expect(open({ brokers: ['127.0.0.1:9'] })).rejects.toThrow(RetryableError)
  })

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'credentials by %s are taken, and wrong ones named',
    async (mechanism) => {
      const sasl = { mechanism, ...saslUser }
      const brokers = [...broker.saslBrokers]
      expect(await take((await open({ brokers, sasl })).reader(0), 10)).toEqual(range(0, 10))
      const wrong = open({ brokers, sasl: { ...sasl, password: 'pass-word-1' } })
      await expect(wrong).rejects.toThrow(ConfigurationError)
      await expect(wrong).rejects.toThrow(/Check kafka\.sasl/)
      await expect(wrong).rejects.not.toThrow(/pass-word-1/)
    },
  )

  test('a listener that speaks no TLS is named', async () => {
    await expect(open({ ssl: true })).rejects.toThrow(/kafka\.ssl|could not/)
  })

  test('an idle client neither warns of negative timeouts nor wakes up all the time', async () => {
    const warnings: string[] = []
    const listen = (warning: Error) => warnings.push(warning.name)
    process.on('warning', listen)
    const reader = (await open({ metadataMaxAgeMs: 60_000 })).reader(0)
    await take(reader, 10)
    await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 300 })
    process.off('warning', listen)
    expect(warnings).toEqual([])
  })
})

async function fill(topic: KafkaTopic, from: number, to: number): Promise<void> {
  const records = range(from, to).map((number) => ({
    timestamp: number,
    key: null,
    value: Buffer.from(String(number)),
  }))
  await topic.produce(0, encodeRecordBatch(0, records))
}

/** After the broker was away, by a connection of its own. */
async function refill({ name }: KafkaTopic, from: number, to: number): Promise<void> {
  const again = await KafkaTopic.attach(broker.brokers, name)
  await fill(again, from, to)
  await again.close()
}

async function take(reader: LogReader, count: number): Promise<number[]> {
  const view = new RecordView()
  const numbers: number[] = []
  while (numbers.length < count) {
    const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 2_000 })
    if (batch === null) break
    while (batch.read(view)) numbers.push(Number(view.valueText()))
  }
  return numbers
}

/** The first error of the kind, after others that may pass. */
async function failureOf(
  reader: LogReader,
  kind: typeof RetryableError | typeof OffsetOutOfRangeError = OffsetOutOfRangeError,
): Promise<Error> {
  const until = performance.now() + 8_000
  while (performance.now() < until) {
    try {
      await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 200 })
    } catch (error) {
      if (error instanceof kind || !(error instanceof RetryableError)) return error as Error
      await sleep(50)
    }
  }
  throw new Error('nothing failed')
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}
