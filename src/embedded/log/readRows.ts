import type pg from 'pg'
import { copyOut } from '../../sinks/postgres/copyOut.ts'
import { asMillraceError } from '../../sinks/postgres/errors.ts'
import { COPY_BATCHES, SET_RANGE } from './statements.ts'

/** Consecutive batches of a partition in one buffer. */
export interface BatchRows {
  readonly bytes: Buffer
  readonly baseOffset: number
  readonly nextOffset: number
  /** Whether a bound of the query cut it off, so that there is probably more. */
  readonly isCutOff: boolean
}

/** Bounds the rows of a query where each of them is small. */
const MAX_ROWS = 512

/** Reads the batches from the one that holds the offset, or the first one behind it; null where there is none. */
export async function readRows(
  pool: pg.Pool,
  place: { readonly topic: string; readonly partition: number; readonly offset: number },
  maxBytes: number,
): Promise<BatchRows | null> {
  const { topic, partition, offset } = place
  const collected = new CollectedRows()
  let client: pg.PoolClient | null = null
  let isUsable = false
  try {
    client = await pool.connect()
    await client.query(SET_RANGE, [topic, partition, offset, maxBytes, MAX_ROWS].map(String))
    await copyOut(client, COPY_BATCHES, (message) => collected.add(message))
    isUsable = true
  } catch (error) {
    throw asMillraceError(error, `read ${topic}/${partition} from offset ${offset}`, place)
  } finally {
    client?.release(!isUsable)
  }
  return collected.joined(maxBytes)
}

/** Signature and flags of a binary COPY, and the length of an extension that comes after it (PostgreSQL manual, COPY, File Formats). */
const EXTENSION_LENGTH_AT = 15
const HEADER_BYTES = 19
/** Field count, both offsets and the length of the batch with their own lengths, and the length of the slice. */
const BASE_OFFSET_AT = 6
const NEXT_OFFSET_AT = 18
const BATCH_LENGTH_AT = 30
const BYTES_LENGTH_AT = 34
const BYTES_AT = 38
const END_OF_ROWS = -1

class CollectedRows {
  readonly #batches: Buffer[] = []
  /** How much of the last batch is there. */
  #filled = 0
  #isBegun = false
  #baseOffset = 0
  #nextOffset = 0

  add(message: Buffer): void {
    // The header comes in one message with the first row.
    const row = this.#isBegun ? message : message.subarray(HEADER_BYTES + message.readInt32BE(EXTENSION_LENGTH_AT))
    this.#isBegun = true
    if (row.length === 0 || row.readInt16BE(0) === END_OF_ROWS) return
    if (this.#batches.length === 0) this.#baseOffset = Number(row.readBigInt64BE(BASE_OFFSET_AT))
    this.#nextOffset = Number(row.readBigInt64BE(NEXT_OFFSET_AT))
    const slice = row.subarray(BYTES_AT, BYTES_AT + row.readInt32BE(BYTES_LENGTH_AT))
    this.#filled += slice.copy(this.#batchOf(row.readInt32BE(BATCH_LENGTH_AT)), this.#filled)
  }

  /** The one that the next slice belongs to. */
  #batchOf(length: number): Buffer {
    const last = this.#batches.at(-1)
    if (last !== undefined && this.#filled < last.length) return last
    const batch = Buffer.allocUnsafe(length)
    this.#batches.push(batch)
    this.#filled = 0
    return batch
  }

  joined(maxBytes: number): BatchRows | null {
    const [only] = this.#batches
    if (only === undefined) return null
    const bytes = this.#batches.length === 1 ? only : Buffer.concat(this.#batches)
    return {
      bytes,
      baseOffset: this.#baseOffset,
      nextOffset: this.#nextOffset,
      isCutOff: this.#batches.length === MAX_ROWS || bytes.length * 2 > maxBytes,
    }
  }
}
