import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import type pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { ConfigurationError } from '../runtime/errors.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { pieceKey } from './backupKeys.ts'
import type { BackedTable } from './backupManifest.ts'

/** Of the stream of a table, before it is compressed. */
const pieceBytes = 8 * 1024 * 1024

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

type Pieces = Pick<BackedTable, 'rowCount' | 'pieces'>

/**
 * Writes the rows of a table, as the transaction of the connection sees them, in pieces, and reads each back. Holds two pieces.
 * @param onPiece told of the bytes that are stored
 * @throws ConfigurationError where the store gives something else than it was given
 */
export async function writeRows(
  client: pg.Client,
  store: ObjectStore,
  place: { readonly id: string; readonly table: number },
  table: Pick<BackedTable, 'name' | 'columns'>,
  onPiece: (bytes: number) => void,
): Promise<Pieces> {
  const pieces: BackedTable['pieces'][number][] = []
  const keep = async (body: Buffer) => {
    const stored = await compress(body)
    const sha256 = sha256Of(stored)
    const key = pieceKey(place.id, place.table, pieces.length)
    await store.put(key, stored, sha256)
    await readPiece(store, key, sha256)
    pieces.push({ sha256, sizeBytes: stored.length })
    onPiece(stored.length)
  }
  const stream = client.query(copyTo(`COPY ${namesOf(table)} TO STDOUT (FORMAT binary)`))
  let held: Buffer[] = []
  let size = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    held.push(chunk)
    size += chunk.length
    if (size < pieceBytes) continue
    await keep(Buffer.concat(held))
    held = []
    size = 0
  }
  if (size > 0) await keep(Buffer.concat(held))
  return { rowCount: Number(stream.rowCount ?? 0), pieces }
}

/**
 * Reads the rows of a table from its pieces into the table of that name, which has to be there and empty. Holds one piece.
 * @throws ConfigurationError where a piece is gone or other bytes, or where the rows are not as many as they were
 */
export async function readRows(
  client: pg.Client,
  store: ObjectStore,
  place: { readonly id: string; readonly table: number },
  table: BackedTable,
  onPiece: (bytes: number) => void,
): Promise<void> {
  const stream = client.query(copyFrom(`COPY ${namesOf(table)} FROM STDIN (FORMAT binary)`))
  async function* bytes(): AsyncGenerator<Buffer> {
    for (const [index, { sha256 }] of table.pieces.entries()) {
      const stored = await readPiece(store, pieceKey(place.id, place.table, index), sha256)
      yield await decompress(stored)
      onPiece(stored.length)
    }
  }
  await pipeline(bytes, stream)
  if (stream.rowCount === table.rowCount) return
  throw new ConfigurationError(
    `table ${table.name} has ${stream.rowCount} rows in this backup and had ${table.rowCount}: take another backup.`,
  )
}

/**
 * The bytes of a piece, as they are stored.
 * @throws ConfigurationError where it is gone or other bytes
 */
export async function readPiece(store: ObjectStore, key: string, sha256: string): Promise<Buffer> {
  const stored = await store.get(key)
  if (stored !== null && sha256Of(stored) === sha256) return stored
  throw new ConfigurationError(
    `${store.location}/${key} ${stored === null ? 'is gone' : 'holds other bytes than were written'}: this backup cannot be used; take another one.`,
  )
}

/** Lower-case hex. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function namesOf({ name, columns }: Pick<BackedTable, 'name' | 'columns'>): string {
  const kept = columns.filter(({ generatedAs }) => generatedAs === null)
  return `${quoteIdentifier(name)} (${kept.map((column) => quoteIdentifier(column.name)).join(', ')})`
}
