import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EmbeddedLog } from '../../../src/embedded/log/embeddedLog.ts'
import { ConfigurationError, CorruptRecordError, RetryableError } from '../../../src/runtime/errors.ts'
import type { OutgoingRecord } from '../../../src/runtime/log/log.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { openPool } from '../../../src/sinks/postgres/connection.ts'
import { describeLog } from '../../contract/log.ts'
import { describeMergedInputs } from '../../contract/mergedInputs.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

let database: TestDatabase
let topics = 0

beforeAll(async () => {
  database = await testDatabase()
})

afterAll(async () => {
  await database.close()
})

const openTopic = (options: { partitions?: number; topic?: string } = {}) =>
  EmbeddedLog.open({ pool: database.pool, topic: `topic-${++topics}`, partitions: 3, pollMs: 5, ...options })

describeLog('embedded log', async () => {
  const log = await openTopic()
  const reopened: EmbeddedLog[] = []
  return {
    source: log,
    writer: () => log.writer(),
    trim: async (partition, beforeOffset) => void (await log.trim(partition, beforeOffset)),
    reopen: async () => {
      const again = await openTopic({ topic: log.topic })
      reopened.push(again)
      return { source: again, writer: () => again.writer() }
    },
    dispose: async () => void (await Promise.all([log, ...reopened].map((opened) => opened.close()))),
  }
})

describeMergedInputs(
  'embedded log',
  async () => {
    const source = await openTopic()
    return { source, writer: source.writer(), dispose: () => source.close() }
  },
  4,
)

describe('topics', () => {
  test('a new one has four partitions, unless it is told otherwise', async () => {
    const log = await EmbeddedLog.open({ pool: database.pool, topic: 'by default' })
    expect(await log.partitions()).toEqual([0, 1, 2, 3])
  })

  test('one that exists keeps its partitions, whoever opens it', async () => {
    await openTopic({ topic: 'of two', partitions: 2 })
    const again = await EmbeddedLog.open({ pool: database.pool, topic: 'of two' })
    expect(await again.partitions()).toEqual([0, 1])
  })

  test.each([1, 3])('their number neither shrinks nor grows: 2 is not %i', async (partitions) => {
    await openTopic({ topic: 'fixed', partitions: 2 })
    const opening = openTopic({ topic: 'fixed', partitions })
    await expect(opening).rejects.toThrow(ConfigurationError)
    await expect(opening).rejects.toThrow(/has 2 partitions, not/)
  })

  test('two processes that make the same topic at once get the same one', async () => {
    const logs = await Promise.all([1, 2, 3].map(() => openTopic({ topic: 'raced for', partitions: 2 })))
    for (const log of logs) expect(await log.partitions()).toEqual([0, 1])
  })
})

describe('appending', () => {
  test('an append larger than a row is several rows, and one run of offsets', async () => {
    const log = await openTopic()
    const writer = log.writer()
    await writer.claim('ingest')
    await writer.append(numbers(5_000, 200), 'a')
    await writer.append(numbers(5_000, 200), 'b')
    const { rows } = await database.pool.query('SELECT count(*)::int AS rows FROM log_batch WHERE topic = $1', [
      log.topic,
    ])
    expect(rows[0].rows).toBeGreaterThan(4)
    for (const maxBytes of [1, 300_000, 1 << 20]) expect(await countInOrder(log, maxBytes)).toBe(10_000)
  })

  test('producers that append to the same partitions at once neither wait for each other for good nor leave gaps', async () => {
    const log = await openTopic()
    await Promise.all(
      [0, 1, 2].map(async (producer) => {
        const writer = log.writer()
        await writer.claim(`producer ${producer}`)
        for (let turn = 0; turn < 10; turn++) {
          const records = [0, 1, 2].map((index) => ({ ...numbers(1, 10)[0]!, partition: (index + producer) % 3 }))
          await writer.append(records, String(turn))
        }
      }),
    )
    for (const partition of [0, 1, 2]) expect(await log.reader(partition).bounds()).toEqual({ earliest: 0, next: 30 })
    expect(await countInOrder(log, 100)).toBe(30)
  })

  test('when the connection is lost, the outcome is open: the writer must claim again, and learns it', async () => {
    const log = await openTopic()
    const pool = openPool(database.connection, { schema: database.schema, maxConnections: 1 })
    const cut = await EmbeddedLog.open({ pool, topic: log.topic })
    const writer = cut.writer()
    await writer.claim('ingest')
    await writer.append(numbers(3, 10), 'three')
    const blocker = await database.pool.connect()
    await blocker.query('BEGIN')
    await blocker.query('SELECT FROM log_partition WHERE topic = $1 FOR UPDATE', [log.topic])
    const appending = writer.append(numbers(3, 10), 'six').catch((error: unknown) => error)
    await terminateWaiting('log_partition')
    expect(await appending).toBeInstanceOf(RetryableError)
    await blocker.query('ROLLBACK')
    blocker.release()
    await expect(writer.append(numbers(1, 10), 'seven')).rejects.toThrow(
      'claim one first, and again after an append that failed',
    )
    expect(await writer.claim('ingest')).toEqual({ position: 'three' })
    await writer.append(numbers(3, 10), 'six')
    expect(await countInOrder(log, 1 << 20)).toBe(6)
    await pool.end()
  })

  test('a connection that is lost while a reader waits for rows is worth another try, and the reader goes on', async () => {
    const log = await filled(3)
    const reader = log.reader(0)
    const blocker = await database.pool.connect()
    await blocker.query('BEGIN')
    await blocker.query('LOCK TABLE log_batch')
    const reading = reader.fetch({ maxBytes: 1, maxWaitMs: 0 }).catch((error: unknown) => error)
    await terminateWaiting('log_batch')
    await blocker.query('ROLLBACK')
    blocker.release()
    expect(await reading).toBeInstanceOf(RetryableError)
    expect((await reader.fetch({ maxBytes: 1, maxWaitMs: 0 }))?.nextOffset).toBe(10)
  })

  test('a database that is not there is worth another try', async () => {
    const log = await openTopic()
    const pool = openPool({ ...database.connection, port: 1 }, { schema: database.schema, connectTimeoutMs: 500 })
    await expect(EmbeddedLog.open({ pool, topic: log.topic })).rejects.toBeInstanceOf(RetryableError)
    await pool.end()
  })
})

describe('reading', () => {
  test('a row whose bytes are broken stops with topic, partition and offset', async () => {
    const log = await filled(3)
    await database.pool.query(
      'UPDATE log_batch SET bytes = set_byte(bytes, 70, 255 - get_byte(bytes, 70)) WHERE topic = $1 AND base_offset = 10',
      [log.topic],
    )
    const reading = countInOrder(log, 1 << 20)
    await expect(reading).rejects.toBeInstanceOf(CorruptRecordError)
    await expect(reading).rejects.toMatchObject({ topic: log.topic, partition: 0, offset: 10 })
  })

  test('a row that holds other offsets than it says is noticed', async () => {
    const log = await filled(1)
    await database.pool.query('UPDATE log_batch SET bytes = set_byte(bytes, 7, 5) WHERE topic = $1', [log.topic])
    await expect(countInOrder(log, 1 << 20)).rejects.toThrow('base offset 5 where 0 was due')
  })

  test('a row that ends elsewhere than its batch is noticed', async () => {
    const log = await filled(1)
    await database.pool.query('UPDATE log_batch SET next_offset = 12 WHERE topic = $1', [log.topic])
    await expect(countInOrder(log, 1 << 20)).rejects.toThrow('end before offset 12, but their batches before 10')
  })

  test.each([
    [0, 1],
    [20, 1],
    [20, 1 << 20],
    [30, 1],
    [30, 1 << 20],
  ])('a row that somebody deleted is noticed: at %i, read %i bytes at a time', async (offset, maxBytes) => {
    const log = await filled(4)
    await database.pool.query('DELETE FROM log_batch WHERE topic = $1 AND base_offset = $2', [log.topic, offset])
    await expect(countInOrder(log, maxBytes)).rejects.toBeInstanceOf(CorruptRecordError)
  })

  test('records that are trimmed away under a reader are an error, and not silently left out', async () => {
    const log = await filled(4)
    const reader = log.reader(0)
    const batch = await reader.fetch({ maxBytes: 1, maxWaitMs: 0 })
    expect(batch?.nextOffset).toBe(10)
    await reader.bounds()
    await log.trim(0, 30)
    const view = new RecordView()
    const offsets: number[] = []
    // One query may have been ahead of the trim; its records are whole. What comes after them is gone.
    const rest = async () => {
      for (;;) {
        const next = await reader.fetch({ maxBytes: 1, maxWaitMs: 0 })
        while (next?.read(view)) offsets.push(view.offset)
      }
    }
    await expect(rest()).rejects.toThrow(/holds offsets 30 to 40/)
    expect([[], Array.from({ length: 10 }, (_, index) => 10 + index)]).toContainEqual(offsets)
  })

  test('closing the log closes its readers', async () => {
    const log = await openTopic()
    const waiting = log.reader(0).fetch({ maxBytes: 1, maxWaitMs: 60_000 })
    await log.close()
    expect(await waiting).toBeNull()
  })
})

describe('retention', () => {
  const keepAll = Number.MAX_SAFE_INTEGER

  test('by bytes: the newest batches that fit stay, and what is needed stays in any case', async () => {
    const log = await filled(4)
    const { rows } = await database.pool.query('SELECT size_bytes FROM log_batch WHERE topic = $1', [log.topic])
    const two = rows[0].size_bytes * 2
    await log.enforceRetention({ retentionBytes: two, keepFrom: () => 15 })
    expect(await log.reader(0).bounds()).toEqual({ earliest: 15, next: 40 })
    await log.enforceRetention({ retentionBytes: two, keepFrom: () => keepAll })
    expect(await log.reader(0).bounds()).toEqual({ earliest: 20, next: 40 })
    await log.enforceRetention({ retentionBytes: 0, keepFrom: () => keepAll })
    expect(await log.reader(0).bounds()).toEqual({ earliest: 40, next: 40 })
    const left = await database.pool.query('SELECT FROM log_batch WHERE topic = $1', [log.topic])
    expect(left.rowCount).toBe(0)
  })

  test('by time: since the append, whatever the records say of themselves', async () => {
    const log = await filled(4)
    await database.pool.query(
      `UPDATE log_batch SET appended_at = now() - interval '1 hour' WHERE topic = $1 AND base_offset < 20`,
      [log.topic],
    )
    await log.enforceRetention({ retentionMs: 7_200_000, keepFrom: () => keepAll })
    expect(await log.reader(0).bounds()).toEqual({ earliest: 0, next: 40 })
    await log.enforceRetention({ retentionMs: 1_800_000, keepFrom: () => keepAll })
    expect(await log.reader(0).bounds()).toEqual({ earliest: 20, next: 40 })
  })

  test('without a bound nothing goes', async () => {
    const log = await filled(2)
    await log.enforceRetention({ keepFrom: () => keepAll })
    expect(await log.reader(0).bounds()).toEqual({ earliest: 0, next: 20 })
  })

  test('an offset that is none is refused', async () => {
    const log = await filled(1)
    await expect(log.trim(0, -1)).rejects.toBeInstanceOf(ConfigurationError)
    await expect(log.enforceRetention({ keepFrom: () => Number.NaN })).rejects.toBeInstanceOf(ConfigurationError)
  })
})

/** A topic with so many batches of ten records in partition 0. */
async function filled(batches: number): Promise<EmbeddedLog> {
  const log = await openTopic()
  const writer = log.writer()
  await writer.claim('ingest')
  for (let batch = 0; batch < batches; batch++) await writer.append(numbers(10, 20), String(batch))
  return log
}

function numbers(count: number, bytes: number): OutgoingRecord[] {
  return Array.from({ length: count }, () => ({
    partition: 0,
    timestamp: 1,
    key: null,
    value: Buffer.alloc(bytes, 'x'),
  }))
}

async function countInOrder(log: EmbeddedLog, maxBytes: number): Promise<number> {
  const reader = log.reader(0)
  const view = new RecordView()
  let count = 0
  for (;;) {
    const batch = await reader.fetch({ maxBytes, maxWaitMs: 0 })
    if (batch === null) return count
    while (batch.read(view)) expect(view.offset).toBe(count++)
  }
}

/** Ends the connection that waits for a lock, as soon as there is one. */
async function terminateWaiting(table: string): Promise<void> {
  await expect
    .poll(async () => {
      const { rowCount } = await database.pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1`,
        [`%${table}%`],
      )
      return rowCount
    })
    .toBeGreaterThan(0)
}
