import { Subject } from 'rxjs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ConfigurationError, TaskFencedError } from '../../../src/runtime/errors.ts'
import type { AssignmentListener, LogSource, LogWriter } from '../../../src/runtime/log.ts'
import { toKafka } from '../../../src/sinks/kafka/toKafka.ts'
import { type WithRelayOptions, withRelay } from '../../../src/sinks/kafka/withRelay.ts'
import { writeSteps } from '../../../src/sinks/postgres/tableWriter.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

let db: TestDatabase
let out: MemoryLog
/** What the group says to the worker, which is what the test says. */
let group: AssignmentListener
let failures: Error[]

beforeEach(async () => {
  db = await testDatabase()
  out = new MemoryLog({ topic: 'facts' })
  failures = []
})
afterEach(() => db.close())

test('the relay runs while its worker has partition 0, and only then', async () => {
  const { member, told } = await join()
  group.onAssign([1])
  await store(1)
  await pause()
  expect(await sent()).toBe(0)
  group.onAssign([0])
  await expect.poll(sent, { timeout: 5_000 }).toBe(1)
  await group.onRevoke([1])
  await store(1)
  await expect.poll(sent, { timeout: 5_000 }).toBe(2)
  await group.onRevoke([0])
  await store(1)
  await pause()
  expect(await sent()).toBe(2)
  group.onAssign([0])
  await expect.poll(sent, { timeout: 5_000 }).toBe(3)
  await group.onLost?.([0])
  await store(1)
  await pause()
  expect(await sent()).toBe(3)
  group.onAssign([0])
  await expect.poll(sent, { timeout: 5_000 }).toBe(4)
  await member.leave()
  await store(1)
  await pause()
  expect(await sent()).toBe(4)
  expect(told).toEqual(['+1', '+0', '-1', '-0', '+0', '~0', '+0', 'left'])
})

test('the partition is not let go before the append under way is over', async () => {
  const writer = out.writer()
  const appending = Promise.withResolvers<void>()
  let isOver = false
  await join({
    writer: {
      ...methodsOf(writer),
      append: async (records, position) => {
        appending.resolve()
        await pause()
        await writer.append(records, position)
        isOver = true
      },
    },
  })
  group.onAssign([0])
  await store(1)
  await appending.promise
  await group.onRevoke([0])
  expect(isOver).toBe(true)
})

test('a partition that comes back while its worker leaves starts no relay that nobody would end', async () => {
  const writer = out.writer()
  const appending = Promise.withResolvers<void>()
  let claims = 0
  const { member } = await join({
    writer: {
      ...methodsOf(writer),
      claim: (producer) => {
        claims++
        return writer.claim(producer)
      },
      append: async (records, position) => {
        appending.resolve()
        await pause()
        await writer.append(records, position)
      },
    },
  })
  group.onAssign([0])
  await store(1)
  await appending.promise
  const leaving = member.leave()
  void group.onLost?.([0])
  group.onAssign([0])
  await leaving
  await pause()
  expect(claims).toBe(1)
})

test('a relay that was replaced comes back while its worker still has the partition', async () => {
  const writer = out.writer()
  let claims = 0
  const { member } = await join({
    writer: {
      ...methodsOf(writer),
      claim: (producer) => (++claims === 1 ? Promise.reject(new TaskFencedError('Replaced.')) : writer.claim(producer)),
    },
    reclaimAfterMs: 20,
  })
  group.onAssign([0])
  await store(1)
  await expect.poll(sent, { timeout: 5_000 }).toBe(1)
  expect(claims).toBe(2)
  await member.leave()
})

test('what the relay cannot go on after ends the worker', async () => {
  const { member } = await join({
    writer: { ...methodsOf(out.writer()), claim: () => Promise.reject(new ConfigurationError('No such topic.')) },
  })
  group.onAssign([0])
  await vi.waitFor(() => expect(failures).toEqual([new ConfigurationError('No such topic.')]), 5_000)
  await member.leave()
})

async function join(options: Partial<WithRelayOptions> = {}) {
  const told: string[] = []
  const log = new MemoryLog({ topic: 'in', partitions: 2 })
  const shared: LogSource = {
    topic: log.topic,
    partitions: () => log.partitions(),
    reader: (partition) => log.reader(partition),
    close: () => log.close(),
    join: async (listener) => {
      group = listener
      return { reportProgress: () => undefined, leave: async () => void told.push('left') }
    },
  }
  const relay = { pool: db.pool, writer: out.writer(), topic: 'facts', partitionOf: () => 0, pollMs: 5, ...options }
  const member = await withRelay(shared, relay).join({
    onAssign: (partitions) => told.push(`+${partitions}`),
    onRevoke: async (partitions) => void told.push(`-${partitions}`),
    onLost: async (partitions) => void told.push(`~${partitions}`),
    onFailed: (error) => failures.push(error),
  })
  return { member, told }
}

function methodsOf(writer: LogWriter): LogWriter {
  return {
    claim: (producer) => writer.claim(producer),
    append: (records, position) => writer.append(records, position),
    close: () => writer.close(),
  }
}

async function store(count: number): Promise<void> {
  const { table } = toKafka(new Subject<number>(), {
    topic: 'facts',
    key: () => 'key',
    value: String,
    eventTime: (number) => number,
  })
  const client = await db.pool.connect()
  await client.query('BEGIN')
  for (const step of writeSteps(table, Array.from({ length: count }, (_, number) => number) as never[]))
    await step(client)
  await client.query('COMMIT')
  client.release()
}

const sent = async () => (await out.reader(0).bounds()).next
const pause = () => new Promise((resolve) => setTimeout(resolve, 60))
