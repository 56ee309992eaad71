import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import type { TaskId } from '../../../src/runtime/store/checkpoint.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

describe('claims of a topic whose number of partitions is told', () => {
  let db: TestDatabase
  let store: PostgresCheckpointStore
  let applicationName: string
  let pipelines = 0
  let pipeline: string

  beforeAll(async () => {
    db = await testDatabase()
    applicationName = `claims ${db.schema}`
    store = new PostgresCheckpointStore(db.connection, { schema: db.schema, applicationName })
  })

  beforeEach(() => {
    pipeline = `pipeline ${++pipelines}`
  })

  afterAll(async () => {
    await store?.close()
    await db?.close()
  })

  const task = (partition: number): TaskId => ({ pipeline, topic: 't', partition })

  const waiting = (count: number) =>
    vi.waitFor(async () => {
      const { rowCount } = await db.pool.query(
        "SELECT FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'",
        [applicationName],
      )
      expect(rowCount).toBe(count)
    }, 5_000)

  /** Somebody who holds the task's row in a transaction, until told to let go. */
  async function holding(partition: number): Promise<() => Promise<void>> {
    const client = await db.pool.connect()
    await client.query('BEGIN')
    await client.query(
      `INSERT INTO stream_task (pipeline, topic, partition, generation, owner, claimed_at) VALUES ($1, 't', $2, 1, 'holder', now())
       ON CONFLICT (pipeline, topic, partition) DO UPDATE SET owner = 'holder'`,
      [pipeline, partition],
    )
    return async () => {
      await client.query('ROLLBACK')
      client.release()
    }
  }

  it('take turns at first, so that of two numbers one is refused however the two overlap', async () => {
    const letGo = await holding(0)
    const first = store.claim(task(0), 2)
    await waiting(1)
    const second = store.claim(task(1), 3)
    second.catch(() => undefined)
    await waiting(2)
    await letGo()
    await expect(first).resolves.toMatchObject({ generation: 1 })
    await expect(second).rejects.toBeInstanceOf(ConfigurationError)
  })

  it('do not wait for an owner of another partition that hangs in its transaction, once the number is known', async () => {
    await store.claim(task(0), 2)
    const letGo = await holding(0)
    const held = store.claim(task(0), 2)
    await waiting(1)
    await expect(store.claim(task(1), 2)).resolves.toMatchObject({ generation: 1 })
    await letGo()
    await expect(held).resolves.toMatchObject({ generation: 2 })
  })
})
