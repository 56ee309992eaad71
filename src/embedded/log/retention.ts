import type pg from 'pg'
import { ConfigurationError } from '../../runtime/errors.ts'
import { run } from './database.ts'
import { BOUNDS, DELETE_BATCHES, END_OF_EXCESS, FIRST_YOUNG_BATCH, MOVE_EARLIEST_OFFSET } from './statements.ts'

/** What to keep of each partition. Without a bound on time or bytes nothing goes for its sake. */
export interface Retention {
  /** Since the append, and not since the event: a tape of last year is kept as long as live records are. */
  readonly retentionMs?: number
  /** Of a partition. */
  readonly retentionBytes?: number
  /** The offset of the oldest record that somebody still needs, a task to resume or the archive to upload; it and what follows stay in any case. */
  readonly keepFrom: (partition: number) => number
}

/** Moves the earliest offset, never back and never past the end, and then deletes the batches that lie wholly below it. */
export async function trimPartition(
  pool: pg.Pool,
  topic: string,
  partition: number,
  beforeOffset: number,
): Promise<number> {
  const place = { topic, partition }
  if (!Number.isSafeInteger(beforeOffset) || beforeOffset < 0) {
    throw new ConfigurationError(
      `${topic}/${partition} is to be trimmed before offset ${beforeOffset}, which is none.`,
      place,
    )
  }
  const doing = `trim ${topic}/${partition} before offset ${beforeOffset}`
  // Two statements: the lock on the partition, which appends wait for, is held for the first one only.
  const values = [topic, partition, beforeOffset]
  const [moved] = await run<{ earliest: string }>(pool, doing, place, MOVE_EARLIEST_OFFSET, values)
  if (moved === undefined) throw new ConfigurationError(`Topic ${topic} has no partition ${partition}.`, place)
  await run(pool, doing, place, DELETE_BATCHES, [topic, partition, moved.earliest])
  return Number(moved.earliest)
}

/** Trims one partition to the retention, whole batches at a time. */
export async function enforceRetention(
  pool: pg.Pool,
  topic: string,
  partition: number,
  { retentionMs, retentionBytes, keepFrom }: Retention,
): Promise<void> {
  const place = { topic, partition }
  const doing = `apply the retention of ${topic}/${partition}`
  const needed = keepFrom(partition)
  if (!(needed >= 0))
    throw new ConfigurationError(`keepFrom must give an offset for ${topic}/${partition}, gave ${needed}.`, place)

  const [bounds] = await run<{ next: string }>(pool, doing, place, BOUNDS, [topic, partition])
  let before = 0
  if (retentionMs !== undefined) {
    const [young] = await run<{ first: string }>(pool, doing, place, FIRST_YOUNG_BATCH, [topic, partition, retentionMs])
    // The end was read before: what is appended in between is young and stays.
    before = Number(young?.first ?? bounds?.next ?? 0)
  }
  if (retentionBytes !== undefined) {
    const [excess] = await run<{ first: string }>(pool, doing, place, END_OF_EXCESS, [topic, partition, retentionBytes])
    before = Math.max(before, Number(excess?.first ?? 0))
  }
  before = Math.min(before, needed)
  if (before > 0) await trimPartition(pool, topic, partition, before)
}
