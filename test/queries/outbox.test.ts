import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  countOutbox,
  formatMessageKey,
  newestRefused,
  parseMessageKey,
  retryAllRefused,
  retryOneRefused,
} from '../../src/queries/outbox.ts'
import type { TaskId } from '../../src/runtime/store/checkpoint.ts'
import { PostgresCheckpointStore } from '../../src/sinks/postgres/checkpointStore.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const task: TaskId = { pipeline: 'hot', topic: 'readings', partition: 1 }
const outlet = 'pager/\0'
const everything = { after: 0, maxMessages: 100, maxBytes: 1 << 20 }

describe('what `outbox` lists and has sent again', () => {
  let database: TestDatabase
  let client: pg.Client
  let store: PostgresCheckpointStore
  beforeAll(async () => {
    database = await testDatabase()
    client = new pg.Client({ ...database.connection, options: `-c search_path=${database.schema}` })
    await client.connect()
    store = new PostgresCheckpointStore(database.connection, { schema: database.schema })
    const messages = [1, 2, 3].map((sequence) => ({ sequence, time: 0, key: null, value: Buffer.from(`m${sequence}`) }))
    await store.commit(await store.claim(task), {
      nextOffset: 1,
      watermark: null,
      archiveNextOffset: null,
      state: { kind: 'base', body: '' },
      writes: [],
      messages: [
        { outlet, messages },
        { outlet: 'calm', messages: messages.slice(0, 1) },
      ],
      deadLetters: [],
      objects: [],
      idleAdvances: [],
    })
    await store.outbox.refuse(task, outlet, 1, '422: \0 no', 1_000)
    await store.outbox.refuse(task, outlet, 3, '404', 2_000)
  })
  afterAll(async () => {
    await store?.close()
    await client?.end()
    await database?.close()
  })

  test('is counted by outlet, and what was refused last comes first', async () => {
    expect(await countOutbox(client)).toEqual([
      { ...task, outlet: 'calm', waiting: 1, oldestAgeMs: expect.any(Number), refused: 0 },
      { ...task, outlet, waiting: 1, oldestAgeMs: expect.any(Number), refused: 2 },
    ])
    const refused = await newestRefused(client, 10)
    expect(refused).toMatchObject([
      { ...task, outlet, sequence: 3, refusal: '404', refusedAt: 2_000, isRetried: false },
      { ...task, outlet, sequence: 1, refusal: '422: \0 no', refusedAt: 1_000 },
    ])
    expect(refused.map(({ value }) => String(value))).toEqual(['m3', 'm1'])
    expect(await newestRefused(client, 1)).toHaveLength(1)
  })

  test('is retried by its id, and only where it was refused', async () => {
    expect(await retryOneRefused(client, parseMessageKey(`hot/readings/1/${outlet}/3`))).toBe(true)
    expect(await retryOneRefused(client, { ...task, outlet, sequence: 2 })).toBe(false)
    expect(await retryOneRefused(client, { ...task, partition: 0, outlet, sequence: 3 })).toBe(false)
    expect((await store.outbox.retried(task, outlet, everything)).map(({ sequence }) => sequence)).toEqual([3])
    expect(await retryAllRefused(client)).toBe(2)
    expect(await store.outbox.retried(task, outlet, everything)).toHaveLength(2)
  })

  test('has an id that is read back as it was written, whatever the outlet is called', () => {
    const key = { ...task, outlet: 'a/0/b\n', sequence: 17 }
    expect(parseMessageKey(formatMessageKey(key))).toEqual(key)
    for (const text of ['', 'hot/readings/1/17', 'hot/readings/x/pager/17', 'hot/readings/1/pager/x']) {
      expect(() => parseMessageKey(text)).toThrow(/is not the id of a message/)
    }
  })
})
