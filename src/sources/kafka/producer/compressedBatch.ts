import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { checksum } from '../../recordBatch/checksum.ts'
import { type BatchRecord, encodeRecordBatch } from '../../recordBatch/encode.ts'
import {
  ATTRIBUTES,
  BASE_SEQUENCE,
  BATCH_LENGTH,
  CRC,
  HEADER_BYTES,
  LENGTH_STARTS_AT,
  PRODUCER_EPOCH,
  PRODUCER_ID,
  TRANSACTIONAL,
} from '../../recordBatch/layout.ts'

/** What Node compresses by itself. */
export type Compression = 'none' | 'gzip' | 'zstd'

/** Who wrote a batch, and as which of its batches in that partition: what a broker needs to drop a repeat and to notice a gap. */
export interface ProducerStamp {
  readonly producerId: bigint
  readonly epoch: number
  readonly sequence: number
}

const CODES: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, zstd: 4 }
/** A smaller batch is compressed at once: handing it to another thread would take longer. */
const SMALL_BYTES = 32 * 1024
/** Below this there is nothing to gain. */
const TINY_BYTES = 256
/** The fastest: trades are text that any level shrinks to a fifth. */
const ZSTD_OPTIONS = { params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 } }
const GZIP_OPTIONS = { level: 1 }
const gzipLater = promisify(zlib.gzip) as (bytes: Buffer, options: object) => Promise<Buffer>
const zstdLater = promisify(zlib.zstdCompress) as (bytes: Buffer, options: object) => Promise<Buffer>

/** Gives one record batch v2 of a transaction, without its stamp. Throws as `encodeRecordBatch` does. */
export async function compressedBatch(records: readonly BatchRecord[], compression: Compression): Promise<Buffer> {
  const plain = encodeRecordBatch(0, records)
  const section = plain.subarray(HEADER_BYTES)
  const packed = section.length < TINY_BYTES ? section : await compress(section, compression)
  const isSmaller = packed.length < section.length
  const batch = isSmaller ? Buffer.concat([plain.subarray(0, HEADER_BYTES), packed]) : plain
  batch.writeInt32BE(batch.length - LENGTH_STARTS_AT, BATCH_LENGTH)
  batch.writeInt16BE((isSmaller ? CODES[compression] : CODES.none) | TRANSACTIONAL, ATTRIBUTES)
  return batch
}

/** Writes the stamp, and the checksum over everything. */
export function stampBatch(batch: Buffer, { producerId, epoch, sequence }: ProducerStamp): void {
  batch.writeBigInt64BE(producerId, PRODUCER_ID)
  batch.writeInt16BE(epoch, PRODUCER_EPOCH)
  batch.writeInt32BE(sequence, BASE_SEQUENCE)
  batch.writeUInt32BE(checksum(batch, ATTRIBUTES, batch.length), CRC)
}

async function compress(bytes: Buffer, compression: Compression): Promise<Buffer> {
  const isSmall = bytes.length < SMALL_BYTES
  if (compression === 'gzip') return isSmall ? zlib.gzipSync(bytes, GZIP_OPTIONS) : gzipLater(bytes, GZIP_OPTIONS)
  if (compression === 'zstd')
    return isSmall ? zlib.zstdCompressSync(bytes, ZSTD_OPTIONS) : zstdLater(bytes, ZSTD_OPTIONS)
  return bytes
}
