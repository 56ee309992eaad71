import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigurationError, TaskFencedError } from '../../../src/runtime/errors.ts'
import type { Checkpoint } from '../../../src/runtime/store/checkpoint.ts'
import type { UpsertTable } from '../../../src/runtime/store/table.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

const table: UpsertTable<unknown> = {
  mode: 'upsert',
  name: 'price_before',
  key: ['symbol'],
  revision: 'revision',
  columns: [
    { name: 'symbol', type: 'text', of: () => 'A' },
    { name: 'revision', type: 'integer', of: () => 1 },
  ],
}

const checkpoint = (nextOffset: number): Checkpoint => ({
  nextOffset,
  watermark: null,
  archiveNextOffset: null,
  state: { kind: 'base', body: `at ${nextOffset}` },
  writes: [{ table, rows: [{}] }],
  deadLetters: [],
  objects: [],
  idleAdvances: [],
})

describe('a claim that is over, of a table that has another shape by now', () => {
  let db: TestDatabase
  let store: PostgresCheckpointStore

  beforeAll(async () => {
    db = await testDatabase()
    store = new PostgresCheckpointStore(db.connection, { schema: db.schema, maxConnections: 1 })
  })
  afterAll(async () => {
    await store.close()
    await db.close()
  })

  it.each([true, false])(
    'is told to be over, and not that the table does not fit (statements are prepared: %s)',
    async (isPrepared) => {
      await db.pool.query(
        'CREATE TABLE price_before (symbol text PRIMARY KEY, revision integer NOT NULL, row_owner integer)',
      )
      const task = { pipeline: `over ${isPrepared}`, topic: 't', partition: 0 }
      const old = await store.claim(task)
      if (isPrepared) await store.commit(old, checkpoint(1))
      const newest = await store.claim(task)
      await db.pool.query('ALTER TABLE price_before RENAME TO price_now')
      await expect(store.commit(old, checkpoint(2))).rejects.toThrow(TaskFencedError)
      await expect(store.commit(newest, checkpoint(2))).rejects.toThrow(ConfigurationError)
      await db.pool.query('DROP TABLE price_now')
    },
  )
})
