import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedTopics } from '../../src/host/embeddedTopics.ts'
import type { TopicSettings } from '../../src/host/hostSettings.ts'
import { commonPartitions, topicsOf } from '../../src/host/runTopic.ts'
import { partitionOf } from '../../src/sources/ingest/murmur2.ts'
import { lines } from '../support/pipelines/lines.ts'
import { paid } from '../support/pipelines/paid.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const settings: TopicSettings = {
  partitions: 3,
  logRetentionHours: 1,
  kafkaRetentionHours: 1,
  kafkaReplication: null,
}

describe('topics of the embedded log', () => {
  test('are made where they are missing, also one that messages are sent to, where keys go as everywhere', async () => {
    const { connection: address, schema, pool } = database
    const topics = await openEmbeddedTopics({ address, schema, topics: ['a', 'b'], settings, onWarning: () => {} })
    try {
      expect(topics.sources.map(({ topic }) => topic)).toEqual(['a', 'b'])
      const [one, same, other] = [
        await topics.openTopic('out'),
        await topics.openTopic('out'),
        await topics.openTopic('a'),
      ]
      const { rows } = await pool.query('SELECT topic, partitions FROM log_topic ORDER BY topic')
      expect(rows).toEqual(['a', 'b', 'out'].map((topic) => ({ topic, partitions: 3 })))
      const key = Buffer.from('BTCUSDT')
      expect(one.partitionOf(key, 7)).toBe(partitionOf(key, 3))
      expect([0, 2, 3, 7].map((fallback) => one.partitionOf(null, fallback))).toEqual([0, 2, 0, 1])
      // Each has a writer of its own: the older claim of a producer is fenced by the newer one.
      await one.writer.claim('p')
      await same.writer.claim('p')
      const record = { partition: 0, timestamp: 1, key, value: key }
      await expect(one.writer.append([record], '1')).rejects.toThrow(/claimed by another writer/)
      await same.writer.append([record], '1')
      await other.writer.claim('p')
      await other.writer.append([record], '1')
      const bounds = await topics.sources[0]!.reader(0).bounds()
      expect(bounds).toMatchObject({ earliest: 0, next: 1 })
    } finally {
      await topics.close()
    }
  })
})

describe('a topic that a person has named', () => {
  test('is not made where it is missing, nor any beside it; the nearest one is told', async () => {
    const { connection: address, schema, pool } = database
    const open = (topics: readonly string[], mustBeThere: readonly string[], onWarning = (_: string) => {}) =>
      openEmbeddedTopics({ address, schema, topics, mustBeThere, settings, onWarning })
    await (await open(['readings'], [])).close()
    await expect(open(['besides', 'reedings'], ['reedings'])).rejects.toThrow(
      /has no topic reedings \(did you mean readings\?\).*millrace ingest/,
    )
    const { rows } = await pool.query("SELECT topic FROM log_topic WHERE topic IN ('besides', 'reedings')")
    expect(rows).toEqual([])
    const told: string[] = []
    await (await open(['readingss'], [], (line) => told.push(line))).close()
    expect(told).toEqual(['Topic readingss is new (did you mean readings?).'])
  })
})

describe('the topics of a run', () => {
  test('are those of the inputs, the leading one first, or the one that is named', () => {
    expect(topicsOf(paid, undefined).map(({ name }) => name)).toEqual(['orders', 'payments'])
    expect(topicsOf(lines, 'x', { isOfThePast: true })).toEqual([
      { name: 'x', isTable: false, isOfThePast: true, mayBeMade: false, isTold: true },
    ])
  })

  test('have as many partitions as those that are there, which must agree with each other and with what is asked for', () => {
    expect(commonPartitions(new Map(), null, 4)).toBe(4)
    expect(commonPartitions(new Map(), 7, 4)).toBe(7)
    expect(commonPartitions(new Map([['a', 2]]), null, 4)).toBe(2)
    expect(() => commonPartitions(new Map([['a', 2]]), 7, 4)).toThrow(/a has 2 partitions, not 7 .*MILLRACE_PARTITIONS/)
    const two = new Map([
      ['a', 2],
      ['b', 3],
    ])
    expect(() => commonPartitions(two, null, 4)).toThrow(/a has 2 partitions and topic b has 3/)
  })
})
