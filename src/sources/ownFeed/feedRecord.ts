import type { FeedTarget } from '../../runtime/log/feed.ts'
import type { OutgoingRecord } from '../../runtime/log/log.ts'
import type { RecordHeader } from '../../runtime/log/record.ts'
import { eventTimeProblem } from '../eventTimeBounds.ts'

/** A record that a feed has made itself, past the codecs of its topic. Text is written as UTF-8. */
export interface FeedRecord {
  readonly value: string | Uint8Array | null
  readonly key?: string | Uint8Array | null
  /** ms UTC, whole; none unless told. */
  readonly timestamp?: number
  readonly headers?: readonly RecordHeader[]
}

/** What a record carries that nobody has told a time of; both logs keep it. */
export const noTime = -1

/** Throws `TypeError` that says what of the record cannot be written. */
export function outgoingRecord(
  { key, value, timestamp = noTime, headers }: FeedRecord,
  target: FeedTarget,
): OutgoingRecord {
  const keyBytes = asBytes(key ?? null)
  const record = {
    partition: target.partitionOf(keyBytes),
    timestamp: timestamp === noTime ? noTime : checkedTime(timestamp),
    key: keyBytes,
    value: asBytes(value),
  }
  return headers === undefined ? record : { ...record, headers }
}

/** Feeds are written in JavaScript, too, so a type is no promise. */
function asBytes(data: unknown): Uint8Array | null {
  if (data === null || data instanceof Uint8Array) return data
  if (typeof data !== 'string') throw new TypeError(`a key or value is text, bytes or null, got ${typeof data}`)
  if (!data.isWellFormed()) throw new TypeError('the text has half a surrogate pair')
  return Buffer.from(data)
}

/** An event time as a log can hold it. Throws `TypeError`. */
export function checkedTime(ms: unknown): number {
  if (typeof ms !== 'number') throw new TypeError(`the time is a number of ms, got ${typeof ms}`)
  const problem = eventTimeProblem(ms)
  if (problem !== null) throw new TypeError(`the time ${problem}`)
  if (!Number.isInteger(ms)) throw new TypeError(`the time is ${ms}, not whole ms`)
  return ms
}
