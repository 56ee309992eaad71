import { afterAll, beforeAll, expect, test } from 'vitest'
import { EmbeddedLog } from '../../src/embedded/log/embeddedLog.ts'
import { trimAll } from '../../src/host/logRetention.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

test('the log is trimmed to what no pipeline and no archive needs any more, whether its topic leads there or not', async () => {
  const { pool } = database
  const log = await EmbeddedLog.open({ pool, topic: 'trades', partitions: 4 })
  const writer = log.writer()
  await writer.claim('test')
  for (let n = 0; n < 10; n += 1) {
    const value = Buffer.from(`${n}`)
    const records = [0, 1, 2, 3].map((partition) => ({ partition, timestamp: n, key: null, value }))
    await writer.append(records, `${n}`)
  }
  // Partition 0: committed to 8, archived to 5. Partition 1: claimed and never committed. Partition 2: nobody reads it. Partition 3: one leads
  // there, and another task, which has another number, reads it too.
  await pool.query(
    `INSERT INTO stream_task (pipeline, topic, partition, generation, owner, claimed_at, next_offset, archive_next_offset)
     VALUES ('realtime', 'trades', 0, 1, 'test', now(), 8, 5), ('realtime', 'trades', 1, 1, 'test', now(), NULL, NULL),
            ('realtime', 'trades', 3, 1, 'test', now(), 8, NULL)`,
  )
  await pool.query(
    `INSERT INTO task_input (pipeline, topic, partition, input_topic, input_partition, next_offset) VALUES ('paid', 'orders', 0, 'trades', 3, 4)`,
  )
  await pool.query(`UPDATE log_batch SET appended_at = now() - interval '2 hours'`)
  await trimAll(pool, 3_600_000)
  const bounds = await Promise.all([0, 1, 2, 3].map((partition) => log.reader(partition).bounds()))
  expect(bounds).toEqual([
    { earliest: 5, next: 10 },
    { earliest: 0, next: 10 },
    { earliest: 0, next: 10 },
    { earliest: 4, next: 10 },
  ])
  await log.close()
})
