/** What an archive object's key says. */
export interface ArchiveKeyParts {
  readonly topic: string
  /** UTC day, `YYYY-MM-DD`. */
  readonly date: string
  readonly partition: number
  readonly firstOffset: number
  readonly lastOffset: number
}

/** Kafka's rule for topic names; it also keeps a topic within one segment of a key. */
export const topicPattern = /^[A-Za-z0-9._-]{1,240}$/

/** 2100-01-01. Beyond it a time is taken for a wrong unit or a slip, and neither cuts an object nor names its day. */
const IMPLAUSIBLE_FROM_MS = 4_102_444_800_000

/** Whether a record's timestamp, ms UTC, may decide where an object ends and which day it belongs to. */
export function isPlausibleTime(timestamp: number): boolean {
  return timestamp >= 0 && timestamp < IMPLAUSIBLE_FROM_MS
}

/**
 * `topic=…/date=YYYY-MM-DD/partition=P/<first>-<last>.jsonl.zst`; offsets have 20 digits, so that keys sort as offsets
 * do.
 */
export function archiveKey(parts: ArchiveKeyParts): string {
  const { topic, date, partition, firstOffset, lastOffset } = parts
  return `topic=${topic}/date=${date}/partition=${partition}/${padded(firstOffset)}-${padded(lastOffset)}.jsonl.zst`
}

/**
 * What the key says, or null where it is not the key of an archive object. Whatever comes before `topic=` is ignored.
 */
export function parseArchiveKey(key: string): ArchiveKeyParts | null {
  const match = /(?:^|\/)topic=([^/]+)\/date=(\d{4}-\d{2}-\d{2})\/partition=(\d+)\/(\d{20})-(\d{20})\.jsonl\.zst$/.exec(
    key,
  )
  if (match === null) return null
  const [, topic = '', date = '', partition, firstOffset, lastOffset] = match
  return {
    topic,
    date,
    partition: Number(partition),
    firstOffset: Number(firstOffset),
    lastOffset: Number(lastOffset),
  }
}

/** The UTC day of a time, ms UTC; 1970-01-01 where there is none. */
export function dayOf(time: number | null): string {
  return new Date(time ?? 0).toISOString().slice(0, 10)
}

function padded(offset: number): string {
  return String(offset).padStart(20, '0')
}
