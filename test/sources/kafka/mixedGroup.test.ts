import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LogMembership, LogSource } from '../../../src/runtime/log/log.ts'
import { type KafkaSettingsInput, kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'
import { Random } from '../../../src/testing/random.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../support/kafkaTopic.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'
import type { CopyWorkerArguments } from '../../support/workers/copyWorker.ts'

if (!hasKafka) console.warn('SKIPPED: groups of both clients: there is no broker')

type Client = 'wire' | 'kafkajs'
const other = (client: Client): Client => (client === 'wire' ? 'kafkajs' : 'wire')
const partitionCount = 4
const all = [0, 1, 2, 3]

describe.skipIf(!hasKafka)(kafkaTitle('a group of both clients'), { timeout: 120_000 }, () => {
  let kafka: SharedBroker
  let topic: KafkaTopic
  let group: string
  beforeAll(async () => {
    kafka = await sharedBroker()
  }, 180_000)
  afterAll(() => kafka?.close())
  beforeEach(async () => {
    group = uniqueName('group')
    topic = await KafkaTopic.create(kafka.brokers, { partitions: partitionCount })
  })
  afterEach(() => topic.close())

  const settingsOf = (client: Client, sessionTimeoutMs = 6_000) => ({
    brokers: [...kafka.brokers],
    client,
    heartbeatIntervalMs: 100,
    sessionTimeoutMs,
  })

  describe('as members', () => {
    const opened: LogSource[] = []
    /** Who works on a partition, by the listeners' word. */
    const owners = new Map<number, string>()
    const overlaps: string[] = []
    afterEach(async () => {
      for (const source of opened.splice(0)) await source.close()
      owners.clear()
      overlaps.length = 0
    })

    const held = (name: string) => all.filter((partition) => owners.get(partition) === name)
    async function join(client: Client, name: string): Promise<LogMembership> {
      const source = await openKafkaLog(kafkaSettings(settingsOf(client)), { topic: topic.name, group })
      opened.push(source)
      return source.join({
        onAssign: (partitions) => {
          for (const partition of partitions) {
            const owner = owners.get(partition)
            if (owner !== undefined) overlaps.push(`${name} is given ${partition} while ${owner} has it`)
            owners.set(partition, name)
          }
        },
        onRevoke: async (partitions) => {
          await new Promise((resolve) => setTimeout(resolve, 20))
          for (const partition of partitions) if (owners.get(partition) === name) owners.delete(partition)
        },
        onFailed: (error) => overlaps.push(`${name} failed: ${error.message}`),
      })
    }
    /** Leaving takes everything away without a word to the listener. */
    async function leave(name: string, member: LogMembership): Promise<void> {
      for (const partition of held(name)) owners.delete(partition)
      await member.leave()
    }

    test.each(['wire', 'kafkajs'] as const)(
      'share with one by %s who was there first, and take over when it leaves',
      async (client) => {
        const first = await join(client, 'first')
        expect(held('first')).toEqual(all)
        await join(other(client), 'second')
        await vi.waitFor(() => expect(held('second')).toHaveLength(2), 10_000)
        expect(held('first')).toHaveLength(2)
        const startedAt = performance.now()
        await leave('first', first)
        await vi.waitFor(() => expect(held('second')).toEqual(all), 10_000)
        expect(performance.now() - startedAt).toBeLessThan(3_000)
        expect(overlaps).toEqual([])
      },
    )

    test.each([1, 2])(
      'coming and going by chance %i never give a partition to two, or to nobody for good',
      async (seed) => {
        const random = new Random(seed)
        const alive: { name: string; member: LogMembership }[] = []
        for (let round = 0; round < 12; round++) {
          const isLeaving = alive.length > 1 && (alive.length > 4 || random.next() % 3 === 0)
          if (isLeaving) {
            const [gone] = alive.splice(random.next() % alive.length, 1)
            await leave(gone!.name, gone!.member)
          } else {
            const client = round % 2 === 0 ? 'wire' : 'kafkajs'
            const name = `${client}-${round}`
            alive.push({ name, member: await join(client, name) })
          }
        }
        await vi.waitFor(() => {
          const shares = alive.map(({ name }) => held(name).length)
          expect(shares.reduce((sum, share) => sum + share, 0)).toBe(partitionCount)
          expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
        }, 15_000)
        expect(overlaps).toEqual([])
      },
    )
  })

  describe('as workers', () => {
    const program = fileURLToPath(new URL('../../support/workers/copyWorker.ts', import.meta.url))
    const sessionTimeoutMs = 2_000
    const children: ChildProcess[] = []
    let db: TestDatabase
    beforeEach(async () => {
      db = await testDatabase()
      await db.pool.query('CREATE TABLE seen (key text, value text)')
    })
    afterEach(async () => {
      for (const child of children.splice(0)) await kill(child, 'SIGKILL')
      await db.close()
    })

    function start(client: Client, settings: Partial<KafkaSettingsInput> = {}): ChildProcess {
      const given: CopyWorkerArguments = {
        settings: { ...settingsOf(client, sessionTimeoutMs), ...settings },
        topic: topic.name,
        group,
        connection: db.connection,
        schema: db.schema,
      }
      const child = spawn(process.execPath, [program, JSON.stringify(given)], {
        stdio: ['ignore', 'inherit', 'inherit'],
      })
      children.push(child)
      return child
    }
    /** Whose commits the fence lets through. */
    async function shares(): Promise<Map<number, number>> {
      const { rows } = await db.pool.query<{ owner: string }>('SELECT owner FROM stream_task')
      return new Map(
        [...Map.groupBy(rows, ({ owner }) => Number(owner.split(':')[1]))].map(([pid, own]) => [pid, own.length]),
      )
    }
    const untilShared = (...workers: readonly ChildProcess[]) => {
      const wanted = new Map(workers.map(({ pid }) => [pid, partitionCount / workers.length]))
      return expect.poll(shares, { timeout: 30_000, interval: 50 }).toEqual(wanted)
    }

    test.each(['wire', 'kafkajs'] as const)(
      'a worker by %s that was killed comes back by the other client at once under its instance id',
      async (client) => {
        const sessionTimeoutMs = 60_000
        const killed = start(client, { instanceId: 'one', sessionTimeoutMs })
        await untilShared(killed)
        const stays = start(client, { instanceId: 'two', sessionTimeoutMs })
        await untilShared(killed, stays)
        await kill(killed, 'SIGKILL')
        await untilShared(stays, start(other(client), { instanceId: 'one', sessionTimeoutMs }))
      },
    )

    test('leave, die and sleep in turn, and every record is in the table once', async () => {
      const produced = new Producer(topic)
      const first = start('wire')
      await untilShared(first)
      const second = start('kafkajs')
      await untilShared(first, second)
      // Tidily, which waits for no session.
      await kill(first, 'SIGTERM')
      expect(first.exitCode).toBe(0)
      await untilShared(second)
      const third = start('wire')
      await untilShared(second, third)
      await kill(second, 'SIGKILL')
      await untilShared(third)
      const fourth = start('kafkajs')
      await untilShared(third, fourth)
      for (const [sleeper, stays] of [
        [third, fourth],
        [fourth, third],
      ] as const) {
        sleeper.kill('SIGSTOP')
        await untilShared(stays)
        sleeper.kill('SIGCONT')
        await untilShared(third, fourth)
      }
      await kill(third, 'SIGKILL')
      await untilShared(fourth)
      const values = await produced.stop()
      await expect.poll(() => count(db), { timeout: 20_000, interval: 50 }).toBeGreaterThanOrEqual(values.length)
      await kill(fourth, 'SIGTERM')
      const { rows } = await db.pool.query<{ value: string }>('SELECT value FROM seen')
      expect(rows.map(({ value }) => Number(value)).sort((left, right) => left - right)).toEqual(values)
      expect(values.length).toBeGreaterThan(200)
    })
  })
})

/** Numbers from 0 on, a few at a time, into all partitions. */
class Producer {
  #isStopped = false
  #next = 0
  readonly #ended: Promise<void>

  constructor(topic: KafkaTopic) {
    this.#ended = this.#run(topic)
  }

  /** Gives all numbers that were produced. */
  async stop(): Promise<number[]> {
    this.#isStopped = true
    await this.#ended
    return Array.from({ length: this.#next }, (_, number) => number)
  }

  async #run(topic: KafkaTopic): Promise<void> {
    const writer = topic.writer()
    await writer.claim('numbers')
    while (!this.#isStopped) {
      const records = Array.from({ length: 8 }, () => {
        const number = this.#next++
        return { partition: number % partitionCount, timestamp: number, key: null, value: Buffer.from(String(number)) }
      })
      await writer.append(records, String(this.#next))
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }
}

async function count(db: TestDatabase): Promise<number> {
  const { rows } = await db.pool.query<{ count: number }>('SELECT count(*)::int AS count FROM seen')
  return rows[0]!.count
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}
