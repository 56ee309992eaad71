import { Subject } from 'rxjs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ConfigurationError, RetryableError } from '../../../src/runtime/errors.ts'
import type { LogSource, LogWriter } from '../../../src/runtime/log.ts'
import { RecordView } from '../../../src/runtime/record.ts'
import { relayOutbox } from '../../../src/sinks/kafka/relayOutbox.ts'
import { toKafka } from '../../../src/sinks/kafka/toKafka.ts'
import { writeSteps } from '../../../src/sinks/postgres/tableWriter.ts'
import { partitionOf } from '../../../src/sources/ingest/murmur2.ts'
import { kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaWriter } from '../../../src/sources/kafka/producer/openKafkaWriter.ts'
import { openWireLog } from '../../../src/sources/kafka/wire/wireLog.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { hasKafka, kafkaTitle, sharedBroker } from '../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../support/kafkaTopic.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

interface Fact {
  readonly key: string | null
  readonly number: number
}

let db: TestDatabase

beforeEach(async () => {
  db = await testDatabase()
})
afterEach(() => db.close())

describe('the outbox', () => {
  test('rows arrive once and in order over relays that fail before and after every append', async () => {
    const log = new MemoryLog({ topic: 'facts', partitions: 2 })
    for (let from = 0; from < 100; from += 10) await store('facts', facts(from, 10))
    const random = failures()
    const stop = new AbortController()
    const relayed = relay(unreliable(log.writer(), random), 'facts', 2, stop.signal)
    await vi.waitFor(async () => expect(await left()).toBe(0), { timeout: 20_000, interval: 20 })
    stop.abort()
    expect(await relayed).toBe('stopped')
    expect(await numbersIn(log)).toEqual(byKey(facts(0, 100)))
    expect(random.failed).toBeGreaterThan(5)
  })

  test('a row of a transaction that commits late is not passed over', async () => {
    const log = new MemoryLog({ topic: 'facts' })
    const stop = new AbortController()
    const relayed = relay(log.writer(), 'facts', 1, stop.signal)
    const slow = await db.pool.connect()
    await slow.query('BEGIN')
    await write(slow, 'facts', facts(0, 1))
    await store('facts', facts(1, 1))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await numbersIn(log)).toEqual([[]])
    await slow.query('COMMIT')
    slow.release()
    await vi.waitFor(async () => expect(await left()).toBe(0), { timeout: 10_000, interval: 20 })
    stop.abort()
    await relayed
    expect(await numbersIn(log)).toEqual([[0, 1]])
  })

  test('rows that roll back are never sent, and other topics are left to other relays', async () => {
    const log = new MemoryLog({ topic: 'facts' })
    const client = await db.pool.connect()
    await client.query('BEGIN')
    await write(client, 'facts', facts(0, 5))
    await client.query('ROLLBACK')
    client.release()
    await store('other', facts(5, 5))
    await store('facts', facts(10, 1))
    const stop = new AbortController()
    const relayed = relay(log.writer(), 'facts', 1, stop.signal)
    await vi.waitFor(async () => expect(await left()).toBe(5), { timeout: 10_000, interval: 20 })
    stop.abort()
    await relayed
    expect(await numbersIn(log)).toEqual([[10]])
  })

  test('a second relay takes over, and the first one ends', async () => {
    const log = new MemoryLog({ topic: 'facts' })
    const stop = new AbortController()
    const first = relay(log.writer(), 'facts', 1, stop.signal)
    await store('facts', facts(0, 1))
    await vi.waitFor(async () => expect(await left()).toBe(0), { timeout: 10_000, interval: 20 })
    const second = relay(log.writer(), 'facts', 1, stop.signal)
    await new Promise((resolve) => setTimeout(resolve, 100))
    await store('facts', facts(1, 200))
    await vi.waitFor(async () => expect(await left()).toBe(0), { timeout: 10_000, interval: 20 })
    stop.abort()
    expect([await first, await second]).toContain('stopped')
    expect(await numbersIn(log)).toEqual([facts(0, 201).map(({ number }) => number)])
  })

  test('a database that is behind what was sent from it is refused', async () => {
    const log = new MemoryLog({ topic: 'facts' })
    const writer = log.writer()
    await writer.claim('outbox')
    await writer.append([], JSON.stringify({ xid: '9999999999999', id: '1' }))
    await expect(relay(log.writer(), 'facts', 1)).rejects.toBeInstanceOf(ConfigurationError)
  })

  test.skipIf(!hasKafka)(kafkaTitle('reaches Kafka'), async () => {
    const kafka = await sharedBroker()
    const topic = await KafkaTopic.create(kafka.brokers, { partitions: 2 })
    const settings = kafkaSettings({ brokers: [...kafka.brokers] })
    const writer = await openKafkaWriter(settings, { topic: topic.name })
    const source = await openWireLog(settings, { topic: topic.name, group: topic.name })
    await store(topic.name, facts(0, 50))
    const stop = new AbortController()
    const relayed = relay(writer, topic.name, 2, stop.signal)
    await vi.waitFor(async () => expect(await left()).toBe(0), { timeout: 10_000, interval: 20 })
    stop.abort()
    await relayed
    await vi.waitFor(async () => expect(await numbersIn(source)).toEqual(byKey(facts(0, 50))), 10_000)
    for (const each of [writer, source, topic, kafka]) await each.close()
  })
})

function facts(from: number, count: number): Fact[] {
  return Array.from({ length: count }, (_, index) => ({ key: `k${(from + index) % 7}`, number: from + index }))
}

const inPartition = (partitions: number) => (key: Uint8Array) => partitionOf(key, partitions)

function byKey(list: readonly Fact[]): number[][] {
  const of = ({ key }: Fact) => inPartition(2)(Buffer.from(key ?? ''))
  return [0, 1].map((partition) => list.filter((fact) => of(fact) === partition).map(({ number }) => number))
}

function relay(writer: LogWriter, topic: string, partitions: number, signal?: AbortSignal) {
  const options = { pool: db.pool, writer, topic, partitionOf: inPartition(partitions), pollMs: 10, batchRecords: 4 }
  return relayOutbox(signal === undefined ? options : { ...options, signal })
}

/** As a checkpoint does. */
async function store(topic: string, list: readonly Fact[]): Promise<void> {
  const client = await db.pool.connect()
  await client.query('BEGIN')
  await write(client, topic, list)
  await client.query('COMMIT')
  client.release()
}

async function write(
  client: Parameters<ReturnType<typeof writeSteps>[number]>[0],
  topic: string,
  list: readonly Fact[],
) {
  const { table } = toKafka(new Subject<Fact>(), {
    topic,
    key: (fact) => fact.key,
    value: (fact) => JSON.stringify(fact.number),
    eventTime: (fact) => fact.number,
  })
  for (const step of writeSteps(table, list as never[])) await step(client)
}

async function left(): Promise<number> {
  const { rows } = await db.pool.query<{ count: number }>('SELECT count(*)::int AS count FROM kafka_outbox')
  return rows[0]!.count
}

async function numbersIn(log: LogSource): Promise<number[][]> {
  const view = new RecordView()
  const found: number[][] = []
  for (const partition of await log.partitions()) {
    const reader = log.reader(partition)
    const numbers: number[] = []
    for (let batch = await reader.fetch(NOW); batch !== null; batch = await reader.fetch(NOW)) {
      while (batch.read(view)) numbers.push(Number(view.valueText()))
    }
    found.push(numbers)
    await reader.close()
  }
  return found
}

const NOW = { maxBytes: 1 << 20, maxWaitMs: 0 }

/** Every third call fails, in turn before and after it has done its work. */
function failures() {
  let calls = 0
  return {
    failed: 0,
    next(): 'before' | 'after' | null {
      calls++
      if (calls % 3 !== 0) return null
      this.failed++
      return calls % 2 === 0 ? 'before' : 'after'
    },
  }
}

function unreliable(writer: LogWriter, random: ReturnType<typeof failures>): LogWriter {
  return {
    claim: (producer) => writer.claim(producer),
    append: async (records, position) => {
      const when = random.next()
      if (when === 'before') throw new RetryableError('before')
      await writer.append(records, position)
      if (when === 'after') throw new RetryableError('after')
    },
    close: () => writer.close(),
  }
}
