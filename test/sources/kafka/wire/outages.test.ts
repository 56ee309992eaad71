import { pbkdf2Sync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { alterUserScramCredentialsV0 } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { ConfigurationError, OffsetOutOfRangeError, RetryableError } from '../../../../src/runtime/errors.ts'
import type { LogReader, LogSource } from '../../../../src/runtime/log/log.ts'
import { RecordView } from '../../../../src/runtime/log/record.ts'
import { type KafkaSettingsInput, kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import { openWireLog } from '../../../../src/sources/kafka/wire/wireLog.ts'
import { encodeRecordBatch } from '../../../../src/sources/recordBatch/encode.ts'
import { type Broker, clusterId, saslUser, startBroker } from '../../../support/brokerProcess.ts'
import { uniqueName } from '../../../support/kafkaBroker.ts'
import { missingForBroker } from '../../../support/kafkaJars.ts'
import { KafkaTopic } from '../../../support/kafkaTopic.ts'

const folder = mkdtempSync(`${tmpdir()}/millrace-kafka-outages-`)

const opened: LogSource[] = []
const topics: KafkaTopic[] = []
let broker: Broker

// A broker that came with KAFKA_BROKERS is not this test's to kill.
const missing = await missingForBroker()
const title = 'a Kafka log through outages'

describe.skipIf(missing !== null)(missing === null ? title : `${title} (needs a broker of its own: ${missing})`, () => {
  beforeAll(async () => {
    broker = await startBroker({ dataDir: `${folder}/one` })
  }, 300_000)

  // A test that failed while it was away must not take the others with it.
  beforeEach(() => broker.start())

  afterEach(async () => {
    for (const source of opened.splice(0)) await source.close()
    for (const topic of topics.splice(0)) await topic.close().catch(() => undefined)
  })
  afterAll(async () => {
    await broker?.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  test('a broker that is killed and started again is read on from, without an error and without a repeat', async () => {
    const topic = await newTopic()
    await fill(topic, 0, 100)
    // A broker takes long to start on a busy machine; a reader that gives up meanwhile is another test.
    const reader = (await open(topic.name, { requestTimeoutMs: 60_000 })).reader(0)
    expect(await readUntil(reader, 100)).toEqual(range(0, 100))
    await broker.kill()
    const startAgain = async () => {
      await broker.start()
      await fill(await reopenTopic(topic), 100, 200)
    }
    const [read] = await Promise.all([readUntil(reader, 200), startAgain()])
    expect(read).toEqual(range(100, 200))
  }, 120_000)

  test('a broker that stays away is a RetryableError, and who seeks again later goes on', async () => {
    const topic = await newTopic()
    await fill(topic, 0, 50)
    const source = await open(topic.name, { requestTimeoutMs: 1_500, connectTimeoutMs: 500 })
    const reader = source.reader(0)
    await readUntil(reader, 50)
    await broker.kill()
    const error = await failureOf(reader)
    expect(error).toBeInstanceOf(RetryableError)
    expect(error).toMatchObject({ topic: topic.name, partition: 0 })
    await expect(reader.bounds()).rejects.toBeInstanceOf(RetryableError)
    await reader.close()
    await broker.start()
    const later = source.reader(0)
    await vi.waitFor(async () => expect(await later.bounds()).toMatchObject({ earliest: 0, next: 50 }), 10_000)
    later.seek(20)
    expect(await readUntil(later, 50)).toEqual(range(20, 50))
  }, 60_000)

  test('a broker that hangs holds a fetch for two seconds more than it may wait, and then goes on where it was', async () => {
    const topic = await newTopic()
    await fill(topic, 0, 10)
    const reader = (await open(topic.name)).reader(0)
    await readUntil(reader, 10)
    broker.suspend()
    try {
      const startedAt = performance.now()
      expect(await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 100 })).toBeNull()
      expect(performance.now() - startedAt).toBeLessThan(4_000)
    } finally {
      broker.resume()
    }
    await fill(topic, 10, 20)
    expect(await readUntil(reader, 20)).toEqual(range(10, 20))
  }, 30_000)

  test('a topic that was deleted and made anew is never read as the old one', async () => {
    const topic = await newTopic()
    await fill(topic, 0, 30)
    const source = await open(topic.name, { requestTimeoutMs: 2_000 })
    const reader = source.reader(0)
    await readUntil(reader, 30)
    await topic.delete()
    await vi.waitFor(() => topic.create(1), { timeout: 10_000, interval: 100 })
    await fill(topic, 1000, 1060)
    const error = await failureOf(reader)
    expect(error).toBeInstanceOf(OffsetOutOfRangeError)
    expect(error.message).toMatch(/deleted/)
    await expect(source.reader(0).bounds()).rejects.toThrow(OffsetOutOfRangeError)
    const anew = (await open(topic.name)).reader(0)
    expect(await readUntil(anew, 60)).toEqual(range(1000, 1060))
  }, 30_000)

  test('a topic that was deleted says so', async () => {
    const topic = await newTopic()
    const reader = (await open(topic.name, { requestTimeoutMs: 2_000 })).reader(0)
    await reader.fetch({ maxBytes: 1, maxWaitMs: 0 })
    await topic.delete()
    const error = await failureOf(reader)
    expect(error).toBeInstanceOf(OffsetOutOfRangeError)
    expect(error.message).toMatch(/deleted/)
  }, 30_000)

  test('a topic that does not exist is a matter of configuration', async () => {
    await expect(open('no-such-topic')).rejects.toThrow(ConfigurationError)
    await expect(open('no-such-topic')).rejects.toThrow(/has no topic no-such-topic/)
  })

  test('nobody there is a RetryableError that names the brokers', async () => {
    const nowhere = openWireLog(kafkaSettings({ brokers: ['127.0.0.1:9'], connectTimeoutMs: 500 }), {
      topic: 't',
      group: 'g',
    })
    await expect(nowhere).rejects.toThrow(RetryableError)
    await expect(nowhere).rejects.toThrow(/127\.0\.0\.1:9/)
  })

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'credentials by %s are taken, and wrong ones named',
    async (mechanism) => {
      const topic = await newTopic()
      await fill(topic, 0, 5)
      const sasl = { mechanism, ...saslUser }
      const reader = (await open(topic.name, { brokers: [...broker.saslBrokers], sasl })).reader(0)
      // Metadata names the listener that was asked, so the reader's own connection has to log in as well.
      expect(await readUntil(reader, 5)).toEqual(range(0, 5))
      const wrong = open(topic.name, { brokers: [...broker.saslBrokers], sasl: { ...sasl, password: 'wrong' } })
      await expect(wrong).rejects.toThrow(ConfigurationError)
      await expect(wrong).rejects.toThrow(/Check kafka\.sasl/)
      await expect(wrong).rejects.not.toThrow(/wrong/)
    },
  )

  test('credentials that are taken away while it runs are a RetryableError in clear words, and good again when they are back', async () => {
    const topic = await newTopic()
    await fill(topic, 0, 5)
    const username = 'leaves'
    const password = 'as-good-as-any'
    await setCredentials(topic, username, password)
    const sasl = { mechanism: 'scram-sha-512', username, password } as const
    const reader = (await open(topic.name, { brokers: [...broker.saslBrokers], sasl, requestTimeoutMs: 1_000 })).reader(
      0,
    )
    expect(await readUntil(reader, 5)).toEqual(range(0, 5))
    await setCredentials(topic, username, null)
    await broker.stop()
    await broker.start()
    const error = await failureOf(reader)
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.message).toMatch(/It worked before.*expired.*kafka\.sasl/)
    expect(error.message).not.toContain(password)
    const again = await reopenTopic(topic)
    await setCredentials(again, username, password)
    await fill(again, 5, 9)
    await vi.waitFor(
      async () => {
        reader.seek(5)
        expect(await readUntil(reader, 9)).toEqual(range(5, 9))
      },
      { timeout: 10_000, interval: 200 },
    )
  }, 60_000)

  test('a listener that wants credentials, or speaks no TLS, is named', async () => {
    const topic = await newTopic()
    const settings = { brokers: [...broker.saslBrokers], connectTimeoutMs: 1_000, requestTimeoutMs: 1_000 }
    await expect(open(topic.name, settings)).rejects.toThrow(/kafka\.sasl|could not/)
    await expect(open(topic.name, { ssl: true, connectTimeoutMs: 1_000 })).rejects.toThrow(/kafka\.ssl|timed out/)
  })

  test('waits that were given up leave nothing behind', async () => {
    const topic = await newTopic()
    const reader = (await open(topic.name)).reader(0)
    await reader.fetch({ maxBytes: 1, maxWaitMs: 0 })
    const handles = () => process.getActiveResourcesInfo().length
    const before = handles()
    const one = new AbortController()
    for (let count = 0; count < 300; count++) {
      const abort = new AbortController()
      const waiting = reader.fetch({
        maxBytes: 1,
        maxWaitMs: 60_000,
        signal: AbortSignal.any([abort.signal, one.signal]),
      })
      abort.abort()
      expect(await waiting).toBeNull()
    }
    await fill(topic, 0, 3)
    expect(await readUntil(reader, 3)).toEqual(range(0, 3))
    expect(handles()).toBeLessThanOrEqual(before + 3)
  })

  // Last, for the cluster is one of two brokers from then on.
  test('a partition whose leader moves to another broker is read on from there', async () => {
    const topic = await newTopic()
    await fill(topic, 0, 500)
    const reader = (await open(topic.name)).reader(0)
    const second = await startSecondBroker(broker)
    try {
      const reading = readUntil(reader, 500)
      const admin = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING }).admin()
      await admin.connect()
      const moveTo = (replica: number) =>
        admin.alterPartitionReassignments({
          topics: [{ topic: topic.name, partitionAssignment: [{ partition: 0, replicas: [replica] }] }],
        })
      await moveTo(2)
      await vi.waitFor(async () => {
        const { topics: found } = await admin.fetchTopicMetadata({ topics: [topic.name] })
        expect(found[0]!.partitions[0]!.leader).toBe(2)
      }, 20_000)
      expect(await reading).toEqual(range(0, 500))
      const waiting = readUntil(reader, 600)
      const producer = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING }).producer()
      await producer.connect()
      await producer.send({
        topic: topic.name,
        messages: range(500, 600).map((number) => ({ partition: 0, value: `${number}` })),
      })
      await producer.disconnect()
      expect(await waiting).toEqual(range(500, 600))
      expect(await reader.bounds()).toMatchObject({ earliest: 0, next: 600 })
      await admin.disconnect()
    } finally {
      await second.kill()
    }
  }, 90_000)
})

async function newTopic(): Promise<KafkaTopic> {
  const topic = await KafkaTopic.create(broker.brokers)
  topics.push(topic)
  return topic
}

/** The connection of a topic's hands does not outlive its broker. */
async function reopenTopic(topic: KafkaTopic): Promise<KafkaTopic> {
  const again = await KafkaTopic.attach(broker.brokers, topic.name)
  topics.push(again)
  return again
}

async function open(topic: string, settings: Partial<KafkaSettingsInput> = {}): Promise<LogSource> {
  const source = await openWireLog(kafkaSettings({ brokers: [...broker.brokers], ...settings }), {
    topic,
    group: uniqueName('group'),
  })
  opened.push(source)
  return source
}

async function fill(topic: KafkaTopic, from: number, to: number): Promise<void> {
  const records = range(from, to).map((number) => ({ timestamp: number, key: null, value: Buffer.from(`${number}`) }))
  for (let at = 0; at < records.length; at += 20) {
    await topic.produce(0, encodeRecordBatch(0, records.slice(at, at + 20)))
  }
}

/** Values as numbers, until the reader has come to `end`. */
async function readUntil(reader: LogReader, end: number): Promise<number[]> {
  const view = new RecordView()
  const seen: number[] = []
  for (let next = -1; next < end; ) {
    const batch = await reader.fetch({ maxBytes: 600, maxWaitMs: 100 })
    while (batch?.read(view)) seen.push(Number(view.valueText()))
    next = batch?.nextOffset ?? next
  }
  return seen
}

/** Makes a user of the broker, or takes it away. */
async function setCredentials(topic: KafkaTopic, username: string, password: string | null): Promise<void> {
  const SCRAM_SHA_512 = 2
  const iterations = 4096
  const salt = Buffer.from('salt of a test')
  const named = { name: username, mechanism: SCRAM_SHA_512 }
  const upserts =
    password === null
      ? []
      : [{ ...named, iterations, salt, saltedPassword: pbkdf2Sync(password, salt, iterations, 64, 'sha512') }]
  await alterUserScramCredentialsV0.api.async(topic.connection, password === null ? [named] : [], upserts)
}

async function failureOf(reader: LogReader): Promise<Error> {
  const deadline = performance.now() + 20_000
  while (performance.now() < deadline) {
    try {
      await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 100 })
    } catch (error) {
      return error as Error
    }
  }
  throw new Error('No failure came.')
}

/** A broker of the same cluster, without a controller of its own. */
async function startSecondBroker(first: Broker): Promise<Broker> {
  const dataDir = `${folder}/two`
  const ports = {
    plain: first.ports.plain + 1000,
    sasl: first.ports.sasl + 1000,
    controller: first.ports.controller + 1000,
  }
  mkdirSync(`${dataDir}/log`, { recursive: true })
  writeFileSync(`${dataDir}/log/meta.properties`, `version=1\nnode.id=2\ncluster.id=${clusterId}\n`)
  return startBroker({
    dataDir,
    ports,
    properties: {
      'process.roles': 'broker',
      'node.id': '2',
      'controller.quorum.voters': `1@127.0.0.1:${first.ports.controller}`,
      listeners: `PLAIN://127.0.0.1:${ports.plain},SASL://127.0.0.1:${ports.sasl}`,
    },
  })
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}
