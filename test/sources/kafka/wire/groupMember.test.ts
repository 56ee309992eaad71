import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LogMembership, LogSource } from '../../../../src/runtime/log/log.ts'
import { type KafkaSettingsInput, kafkaSettings } from '../../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../../src/sources/kafka/openKafkaLog.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../../../support/kafkaBroker.ts'
import { KafkaTopic } from '../../../support/kafkaTopic.ts'

let kafka: SharedBroker
let topic: KafkaTopic
let throughClient: 'wire' | 'kafkajs'
let group: string
const opened: LogSource[] = []
const children: ChildProcess[] = []
const program = fileURLToPath(new URL('memberProcess.ts', import.meta.url))

/** Someone who takes part, with what it holds at the moment and what happened to it. */
interface Member {
  readonly source: LogSource
  readonly membership: LogMembership
  readonly held: Set<number>
  readonly story: string[]
  readonly failures: Error[]
}

describe.skipIf(!hasKafka).each(['wire', 'kafkajs'] as const)(kafkaTitle('members of a group through %s'), (client) => {
  beforeAll(async () => {
    throughClient = client
    kafka = await sharedBroker()
  }, 180_000)
  afterAll(() => kafka?.close())

  beforeEach(async () => {
    group = uniqueName('group')
    topic = await KafkaTopic.create(kafka.brokers, { partitions: 4 })
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    for (const source of opened.splice(0)) await source.close()
    await topic.close()
  })

  test('share the partitions, and only those that move are stopped', async () => {
    const first = await join({ instanceId: 'one' })
    expect([...first.held]).toEqual([0, 1, 2, 3])
    const second = await join({ instanceId: 'two' })
    await vi.waitFor(() => expect(second.held.size).toBe(2), 10_000)
    expect(first.held.size).toBe(2)
    expect(new Set([...first.held, ...second.held]).size).toBe(4)
    expect(first.story).toEqual(['+0,1,2,3', '-2,3'])
    expect(second.story.filter((line) => line.startsWith('-'))).toEqual([])
  })

  test('a partition is let go before anybody else is given it', async () => {
    let isHeld = true
    const order: string[] = []
    const first = await join({}, async () => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      isHeld = false
      order.push('let go')
    })
    const second = await join(
      {},
      async () => undefined,
      () => {
        if (isHeld) order.push('given too early')
        order.push('given')
      },
    )
    await vi.waitFor(() => expect(second.held.size).toBe(2), 10_000)
    expect(order).toEqual(['let go', 'given'])
    expect(first.held.size).toBe(2)
  })

  test('one that does not let go holds up the others only for revokeTimeoutMs', async () => {
    await join({ revokeTimeoutMs: 700 }, () => new Promise(() => undefined))
    const startedAt = performance.now()
    const second = await join({})
    await vi.waitFor(() => expect(second.held.size).toBe(2), 10_000)
    expect(performance.now() - startedAt).toBeGreaterThan(690)
  })

  test('who leaves gives its partitions up at once', async () => {
    const first = await join({ instanceId: 'one' })
    const second = await join({ instanceId: 'two' })
    await vi.waitFor(() => expect(second.held.size).toBe(2), 10_000)
    const startedAt = performance.now()
    await first.membership.leave()
    await vi.waitFor(() => expect(second.held.size).toBe(4), 10_000)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })

  test('who is killed comes back to its partitions at once under its instance id, and nobody else notices', async () => {
    const stays = await join({ instanceId: 'two' })
    const killed = await joinAsProcess({ instanceId: 'one' })
    await vi.waitFor(() => expect(killed.held.size).toBe(2), 10_000)
    const storyBefore = [...stays.story]
    killed.process.kill('SIGKILL')
    const startedAt = performance.now()
    const again = await join({ instanceId: 'one' })
    expect([...again.held].sort()).toEqual([...killed.held].sort())
    expect(performance.now() - startedAt).toBeLessThan(2_000)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(stays.story).toEqual(storyBefore)
  })

  test('who is killed and does not come back is replaced after its session', async () => {
    const killed = await joinAsProcess({ instanceId: 'one', sessionTimeoutMs: 2_000 })
    const stays = await join({ instanceId: 'two', sessionTimeoutMs: 2_000 })
    await vi.waitFor(() => expect(stays.held.size).toBe(2), 10_000)
    killed.process.kill('SIGKILL')
    const startedAt = performance.now()
    await vi.waitFor(() => expect(stays.held.size).toBe(4), 10_000)
    expect(performance.now() - startedAt).toBeLessThan(3_500)
    expect(stays.story.filter((line) => line.startsWith('-'))).toEqual([])
  })

  test('who slept through its session lets everything go and takes part again', async () => {
    const sleeper = await joinAsProcess({ sessionTimeoutMs: 2_000 })
    const stays = await join({ sessionTimeoutMs: 2_000 })
    await vi.waitFor(() => expect(stays.held.size).toBe(2), 10_000)
    sleeper.process.kill('SIGSTOP')
    await vi.waitFor(() => expect(stays.held.size).toBe(4), 10_000)
    sleeper.process.kill('SIGCONT')
    await vi.waitFor(() => expect(stays.held.size).toBe(2), 10_000)
    await vi.waitFor(() => expect(sleeper.held.size).toBe(2), 10_000)
    expect(new Set([...stays.held, ...sleeper.held]).size).toBe(4)
    expect(sleeper.lost).toHaveLength(2)
  })

  test('one that was replaced under its instance id loses everything and says who did it', async () => {
    const first = await join({ instanceId: 'one' })
    const second = await join({ instanceId: 'one' })
    expect(second.held.size).toBe(4)
    await vi.waitFor(() => expect(first.failures).toHaveLength(1), 10_000)
    expect(first.failures[0]!.message).toMatch(/Another process has joined .* as one/)
    expect(first.held.size).toBe(0)
    expect(second.held.size).toBe(4)
  })

  test('partitions that are added are given out', async () => {
    const first = await join({ metadataMaxAgeMs: 200 })
    const second = await join({ metadataMaxAgeMs: 200 })
    await vi.waitFor(() => expect(second.held.size).toBe(2), 10_000)
    await topic.growTo(7)
    await vi.waitFor(() => expect(first.held.size + second.held.size).toBe(7), 10_000)
    expect(new Set([...first.held, ...second.held]).size).toBe(7)
    for (const partition of second.held)
      expect(await second.source.reader(partition).bounds()).toMatchObject({ earliest: 0, next: 0 })
  })

  test('partitions that were added while the leader was away are given out when it is back within its session', async () => {
    const leader = await joinAsProcess({ instanceId: 'one' })
    await vi.waitFor(() => expect(leader.held.size).toBe(4), 10_000)
    leader.process.kill('SIGKILL')
    await topic.growTo(6)
    const again = await join({ instanceId: 'one', metadataMaxAgeMs: 200, sessionTimeoutMs: 30_000 })
    await vi.waitFor(() => expect([...again.held].sort()).toEqual([0, 1, 2, 3, 4, 5]), 5_000)
  })

  test('partitions that were added while the leader is away are given out at the word of any other member, who lets nothing go', async () => {
    const leader = await joinAsProcess({ instanceId: 'one', sessionTimeoutMs: 30_000 })
    await vi.waitFor(() => expect(leader.held.size).toBe(4), 10_000)
    const other = await join({ instanceId: 'two', metadataMaxAgeMs: 200, sessionTimeoutMs: 30_000 })
    await vi.waitFor(() => expect(other.held.size).toBe(2), 10_000)
    leader.process.kill('SIGKILL')
    // Through a process that looks so seldom that it is the other one who has to say it.
    const again = await joinAsProcess({ instanceId: 'one', sessionTimeoutMs: 30_000, metadataMaxAgeMs: 600_000 })
    await topic.growTo(6)
    await vi.waitFor(() => expect(other.held.size + again.held.size).toBe(6), 5_000)
    expect(new Set([...other.held, ...again.held]).size).toBe(6)
    expect(other.story.filter((line) => line.startsWith('-'))).toEqual([])
  })

  test('progress is there for lag tools', async () => {
    const member = await join({})
    member.membership.reportProgress(2, 17)
    const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    await vi.waitFor(async () => {
      const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [topic.name] })
      expect(offsets?.partitions.find(({ partition }) => partition === 2)?.offset).toBe('17')
    }, 10_000)
    member.membership.reportProgress(2, 18)
    await member.membership.leave()
    const [offsets] = await admin.fetchOffsets({ groupId: group, topics: [topic.name] })
    expect(offsets?.partitions.find(({ partition }) => partition === 2)?.offset).toBe('18')
    await admin.disconnect()
  })

  test('a session timeout that the broker does not allow is named', async () => {
    await expect(join({ sessionTimeoutMs: 100, heartbeatIntervalMs: 20 })).rejects.toThrow(/kafka.sessionTimeoutMs/)
  })

  test('a member of another kind in the group is named', async () => {
    const consumer = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).consumer({ groupId: group })
    await consumer.connect()
    await consumer.subscribe({ topic: topic.name })
    const joined = new Promise<void>((resolve) => consumer.on('consumer.group_join', () => resolve()))
    await consumer.run({ eachMessage: async () => undefined })
    await joined
    await expect(join({})).rejects.toThrow(/no workers of Millrace/)
    await consumer.disconnect()
  })

  test('twelve rounds of coming and going leave every partition with exactly one member', async () => {
    const alive: Member[] = []
    for (let round = 0; round < 12; round++) {
      if (alive.length < 2 || (round % 3 !== 2 && alive.length < 5)) alive.push(await join({ instanceId: `w${round}` }))
      else await alive.shift()!.membership.leave()
    }
    await vi.waitFor(() => {
      const all = alive.flatMap(({ held }) => [...held])
      expect(all.sort()).toEqual([0, 1, 2, 3])
    }, 15_000)
  }, 60_000)
})

/** The same in a process of its own. */
async function joinAsProcess(settings: Partial<KafkaSettingsInput>) {
  const client = throughClient
  const given = { brokers: [...kafka.brokers], client, heartbeatIntervalMs: 100, ...settings }
  const child = spawn(process.execPath, [program, JSON.stringify({ settings: given, topic: topic.name, group })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const held = new Set<number>()
  const lost: number[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    for (const partition of line.slice(1).split(',').filter(Boolean).map(Number)) {
      if (line.startsWith('+')) held.add(partition)
      else if (line.startsWith('-')) held.delete(partition)
      else if (line.startsWith('~') && held.delete(partition)) lost.push(partition)
    }
  })
  await vi.waitFor(() => expect(held.size).toBeGreaterThan(0), 20_000)
  return { process: child, held, lost }
}

async function join(
  settings: Partial<KafkaSettingsInput>,
  onRevoke: (partitions: readonly number[]) => Promise<void> = async () => undefined,
  onAssign: () => void = () => undefined,
): Promise<Member> {
  const source = await openKafkaLog(
    kafkaSettings({
      brokers: [...kafka.brokers],
      client: throughClient,
      heartbeatIntervalMs: 100,
      sessionTimeoutMs: 6_000,
      ...settings,
    }),
    { topic: topic.name, group },
  )
  opened.push(source)
  const held = new Set<number>()
  const story: string[] = []
  const failures: Error[] = []
  const membership = await source.join({
    onAssign: (partitions) => {
      story.push(`+${partitions}`)
      for (const partition of partitions) held.add(partition)
      onAssign()
    },
    onRevoke: async (partitions) => {
      await onRevoke(partitions)
      story.push(`-${partitions}`)
      for (const partition of partitions) held.delete(partition)
    },
    onFailed: (error) => failures.push(error),
  })
  return { source, membership, held, story, failures }
}
