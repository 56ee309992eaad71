import type pg from 'pg'
import type { ErrorPlace } from '../../runtime/errors.ts'
import { CorruptRecordError } from '../../runtime/errors.ts'
import { run } from './database.ts'
import { BATCHES } from './statements.ts'

/** Consecutive batches of a partition in one buffer. */
export interface BatchRows {
  readonly bytes: Buffer
  readonly baseOffset: number
  readonly nextOffset: number
  /** Whether a bound of the query cut it off, so that there is probably more. */
  readonly isCutOff: boolean
}

interface Row {
  readonly base_offset: string
  readonly next_offset: string
  readonly size_bytes: number
  readonly bytes: string
}

/** Bounds the rows of a query where each of them is small. */
const MAX_ROWS = 512

/** Reads the batches from the one that holds `offset`, or the first one behind it; null where there is none. */
export async function readRows(
  pool: pg.Pool,
  place: ErrorPlace & { readonly topic: string; readonly partition: number },
  offset: number,
  maxBytes: number,
): Promise<BatchRows | null> {
  const doing = `read ${place.topic}/${place.partition} from offset ${offset}`
  const values = [place.topic, place.partition, offset, maxBytes, MAX_ROWS]
  const rows = await run<Row>(pool, doing, place, BATCHES, values)
  const first = rows[0]
  const last = rows.at(-1)
  if (first === undefined || last === undefined) return null

  const size = rows.reduce((sum, row) => sum + row.size_bytes, 0)
  const bytes = Buffer.allocUnsafeSlow(size)
  let at = 0
  for (const row of rows) {
    const written = bytes.write(row.bytes, at, 'base64')
    if (written !== row.size_bytes) {
      throw new CorruptRecordError(
        `The batch at ${place.topic}/${place.partition}/${row.base_offset} has ${written} bytes, not ${row.size_bytes}.`,
        { ...place, offset: Number(row.base_offset) },
      )
    }
    at += written
  }
  return {
    bytes,
    baseOffset: Number(first.base_offset),
    nextOffset: Number(last.next_offset),
    isCutOff: rows.length === MAX_ROWS || size * 2 > maxBytes,
  }
}
