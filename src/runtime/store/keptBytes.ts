import { createHash } from 'node:crypto'

/** A part of a record of which a dead letter keeps the beginning only. */
export interface CutPart {
  /** Of the whole part. */
  readonly bytes: number
  /** Of the whole part; lower-case hex. */
  readonly sha256: string
}

/** The parts of a record of which less than all is kept. Headers count as the log encodes them. */
export interface CutParts {
  readonly key?: CutPart
  readonly headers?: CutPart
  /** Of the record's value. */
  readonly payload?: CutPart
}

/** How many letters one operator may write of one record. The last of them stands for all that follow. */
export const mostLettersOfRecord = 1_000
/** What that many letters of one record keep of it together, as long as each keeps at least `leastKeptBytes`. */
const sharedBytes = 1 << 20
const leastKeptBytes = 1_024

/** How much the letter of this number keeps of each part of its record: the later, the less, so that one record cannot fill the memory by being set aside again and again. */
export function keptBytes(ordinal: number, mostBytes: number): number {
  return Math.min(mostBytes, Math.max(leastKeptBytes, Math.floor(sharedBytes / (ordinal + 1))))
}

/** What tells the whole of a part by its beginning. */
export function cutPart(whole: Uint8Array): CutPart {
  return { bytes: whole.length, sha256: createHash('sha256').update(whole).digest('hex') }
}

/** The longest text that says what was wrong, in UTF-16 units. */
const mostDetail = 4_000

/** A callback may have put a whole value into its message. */
export function letterDetail(detail: string): string {
  if (detail.length <= mostDetail) return detail
  return `${detail.slice(0, mostDetail).replace(/[\uD800-\uDBFF]$/, '')}… (${detail.length} characters)`
}
