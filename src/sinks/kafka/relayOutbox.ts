import type pg from 'pg'
import { z } from 'zod'
import { Backoff } from '../../runtime/backoff.ts'
import { type Clock, systemClock } from '../../runtime/clock.ts'
import { ConfigurationError, RetryableError, TaskFencedError } from '../../runtime/errors.ts'
import type { LogWriter, OutgoingRecord } from '../../runtime/log.ts'
import { asMillraceError } from '../postgres/errors.ts'

/** Which rows of the outbox a relay sends, where to and how often. */
export interface RelayOptions {
  /** Connections whose search_path is a migrated schema. */
  readonly pool: pg.Pool
  /** To the topic; the relay claims the producer `outbox` on it and does not close it. */
  readonly writer: LogWriter
  readonly topic: string
  /** Of a key; records without one go to partition 0. */
  readonly partitionOf: (key: Uint8Array) => number
  /** How soon new rows are seen. Default 50 ms. */
  readonly pollMs?: number
  /** Most records of one append, which bounds the memory. Default 2000. */
  readonly batchRecords?: number
  readonly clock?: Clock
  /** Ends the relay once nothing is under way. */
  readonly signal?: AbortSignal
  /** What is waited for and tried again. */
  readonly onTrouble?: (error: RetryableError) => void
}

/** The last row that was sent. */
interface Place {
  readonly xid: string
  readonly id: string
}

interface OutboxRow extends Place {
  readonly event_time: string
  readonly key: string | null
  readonly value: string | null
}

const START: Place = { xid: '0', id: '0' }
const placeSchema = z.object({ xid: z.string().regex(/^\d+$/), id: z.string().regex(/^\d+$/) })
const DEFAULT_POLL_MS = 50
const DEFAULT_RECORDS = 2_000
const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 5_000

/** $1 topic, $2 xid and $3 id of the last row sent, $4 rows. Older transactions are over, so what follows the last of these is newer. */
const NEXT_ROWS = `
  SELECT held.xid::text, held.id::text, held.event_time::text, held.key, held.value FROM kafka_outbox AS held
  WHERE held.topic = $1 AND (held.xid, held.id) > ($2::xid8, $3::bigint)
    AND held.xid < pg_snapshot_xmin(pg_current_snapshot())
  ORDER BY held.xid, held.id LIMIT $4`
const DELETE_SENT = 'DELETE FROM kafka_outbox WHERE topic = $1 AND (xid, id) <= ($2::xid8, $3::bigint)'
const IS_AHEAD = 'SELECT $1::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) AS is_ahead'

/**
 * Sends the rows of `kafka_outbox` for one topic, in order, until the signal fires or another relay takes over.
 *
 * The place of the last row sent is the writer's position, stored by Kafka with the records themselves; rows are deleted afterwards, and a row
 * that is still there after a crash is known by that place. Any transaction of the database server that writes for long holds
 * rows back that came after it. Memory: one batch. Throws `ConfigurationError` when the database is older than what was sent from it.
 */
export async function relayOutbox(options: RelayOptions): Promise<'stopped' | 'fenced'> {
  const { clock = systemClock, signal, onTrouble } = options
  const backoff = new Backoff(FIRST_RETRY_MS, LONGEST_RETRY_MS)
  for (;;) {
    try {
      await relayUntilStopped(options, backoff)
      return 'stopped'
    } catch (error) {
      if (error instanceof TaskFencedError) return 'fenced'
      if (!(error instanceof RetryableError)) throw error
      onTrouble?.(error)
    }
    if (signal?.aborted === true) return 'stopped'
    await clock.sleep(backoff.next(), signal)
  }
}

async function relayUntilStopped(options: RelayOptions, backoff: Backoff): Promise<void> {
  const {
    writer,
    topic,
    clock = systemClock,
    signal,
    pollMs = DEFAULT_POLL_MS,
    batchRecords = DEFAULT_RECORDS,
  } = options
  const { position } = await writer.claim('outbox')
  let place = position === null ? START : parsePlace(position, topic)
  await requireNotAhead(options, place)
  await query(options, DELETE_SENT, [topic, place.xid, place.id])
  while (signal?.aborted !== true) {
    const rows = await query<OutboxRow>(options, NEXT_ROWS, [topic, place.xid, place.id, batchRecords])
    const last = rows.at(-1)
    if (last === undefined) {
      await clock.sleep(pollMs, signal)
      continue
    }
    place = { xid: last.xid, id: last.id }
    await writer.append(
      rows.map((row) => recordOf(row, options)),
      JSON.stringify(place),
    )
    backoff.reset()
    await query(options, DELETE_SENT, [topic, place.xid, place.id])
  }
}

function recordOf({ event_time, key, value }: OutboxRow, { partitionOf }: RelayOptions): OutgoingRecord {
  const keyBytes = key === null ? null : Buffer.from(key)
  return {
    partition: keyBytes === null ? 0 : partitionOf(keyBytes),
    timestamp: Number(event_time),
    key: keyBytes,
    value: value === null ? null : Buffer.from(value),
  }
}

/** A database that was restored from a dump counts its transactions from anew, and new rows would look like old ones. */
async function requireNotAhead(options: RelayOptions, { xid }: Place): Promise<void> {
  const [found] = await query<{ is_ahead: boolean }>(options, IS_AHEAD, [xid])
  if (found?.is_ahead !== true) return
  throw new ConfigurationError(
    `The outbox of topic ${options.topic} was sent up to transaction ${xid}, which this database has not reached: it was restored or is another one. ` +
      'Choose another topic, or see which rows of kafka_outbox the topic lacks.',
    { topic: options.topic },
  )
}

async function query<Row extends pg.QueryResultRow>(
  { pool, topic }: RelayOptions,
  text: string,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  try {
    return (await pool.query<Row>(text, [...values])).rows
  } catch (error) {
    throw asMillraceError(error, `relay the outbox of topic ${topic}`, { topic })
  }
}

function parsePlace(text: string, topic: string): Place {
  try {
    return placeSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new ConfigurationError(
      `Producer 'outbox' of topic ${topic} has a position that is not a place in an outbox: ${text.slice(0, 80)}. Use another topic.`,
      { topic, cause },
    )
  }
}
