import type pg from 'pg'
import { ConfigurationError, TaskFencedError } from '../../runtime/errors.ts'
import type { LogWriter, OutgoingRecord } from '../../runtime/log/log.ts'
import { OneAppend } from '../../runtime/oneAppend.ts'
import { encodeRecordBatch } from '../../sources/recordBatch/encode.ts'
import { groupIntoBatches } from '../../sources/recordBatch/group.ts'
import { inTransaction, run } from './database.ts'
import { CLAIM_PRODUCER, INSERT_BATCH, LOCK_PARTITIONS, MOVE_NEXT_OFFSETS, STORE_POSITION } from './statements.ts'

export interface EmbeddedLogWriterOptions {
  readonly pool: pg.Pool
  readonly topic: string
  readonly partitions: number
  /** Told which partitions have grown, after the commit. */
  readonly onAppended: (partitions: readonly number[]) => void
}

/** Large enough that a row costs little beside its records, small enough that a reader's bound on bytes means something. */
const LIMITS = { maxRecords: 16_384, maxBytes: 256 * 1024 }

/**
 * Appends to the embedded log: one transaction an append, with records and position in it.
 *
 * An append that fails leaves the writer without its producer, because its outcome may be unknown: claim again, and the position says
 * whether it was stored. A claim waits for an append of the older holder that the database still works on.
 */
export class EmbeddedLogWriter implements LogWriter {
  readonly #options: EmbeddedLogWriterOptions
  readonly #appends: OneAppend
  #held: { readonly producer: string; readonly generation: string } | null = null

  constructor(options: EmbeddedLogWriterOptions) {
    this.#options = options
    this.#appends = new OneAppend(options.topic)
  }

  async claim(producer: string): Promise<{ readonly position: string | null }> {
    const { pool, topic } = this.#options
    this.#held = null
    const doing = `claim producer ${producer} of ${topic}`
    const rows = await run<Claimed>(pool, doing, { topic }, CLAIM_PRODUCER, [topic, producer])
    const { generation, position } = rows[0]!
    this.#held = { producer, generation }
    return { position }
  }

  append(records: readonly OutgoingRecord[], position: string): Promise<void> {
    return this.#appends.run(() => this.#append(records, position))
  }

  async close(): Promise<void> {
    this.#held = null
  }

  async #append(records: readonly OutgoingRecord[], position: string): Promise<void> {
    const { pool, topic, partitions, onAppended } = this.#options
    const held = this.#held
    if (held === null) {
      throw new ConfigurationError(
        `A writer of ${topic} appends without a producer: claim one first, and again after an append that failed.`,
        { topic },
      )
    }
    const grouped = groupIntoBatches(topic, partitions, records, LIMITS)
    this.#held = null
    await inTransaction(pool, `append ${records.length} records to ${topic}`, { topic }, async (client) => {
      const stored = await client.query(STORE_POSITION, [topic, held.producer, held.generation, position])
      if (stored.rowCount === 0) {
        this.#held = held
        throw fenced(topic, held)
      }
      if (grouped.size > 0) await insertBatches(client, topic, grouped)
    })
    this.#held = held
    onAppended([...grouped.keys()])
  }
}

interface Claimed {
  readonly generation: string
  readonly position: string | null
}

async function insertBatches(
  client: pg.PoolClient,
  topic: string,
  grouped: ReadonlyMap<number, readonly (readonly OutgoingRecord[])[]>,
): Promise<void> {
  const partitions = [...grouped.keys()]
  const locked = await client.query<{ partition: number; next: string }>(LOCK_PARTITIONS, [topic, partitions])
  const nextOffsets = new Map(locked.rows.map((row) => [row.partition, Number(row.next)]))
  for (const [partition, lists] of grouped) {
    const first = nextOffsets.get(partition)
    if (first === undefined) throw new ConfigurationError(`Topic ${topic} has no partition ${partition}.`, { topic })
    let offset = first
    for (const list of lists) {
      const bytes = encodeRecordBatch(offset, list)
      const next = offset + list.length
      const newest = list.reduce((latest, { timestamp }) => Math.max(latest, timestamp), Number.NEGATIVE_INFINITY)
      await client.query(INSERT_BATCH, [topic, partition, offset, next, list.length, newest, bytes.length, bytes])
      offset = next
    }
    nextOffsets.set(partition, offset)
  }
  await client.query(MOVE_NEXT_OFFSETS, [topic, partitions, partitions.map((partition) => nextOffsets.get(partition))])
}

function fenced(topic: string, held: { readonly producer: string; readonly generation: string }): TaskFencedError {
  return new TaskFencedError(
    `Producer ${held.producer} of ${topic} was claimed by another writer; this one is generation ${held.generation}.`,
    { topic },
  )
}
