import { gzipSync, zstdCompressSync } from 'node:zlib'
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import type { RecordBatch } from '../../src/runtime/log/log.ts'
import { RecordView } from '../../src/runtime/log/record.ts'
import { crc32c } from '../../src/sources/recordBatch/crc32c.ts'

export interface SeenRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
}

/** Every record of a batch, bytes as hex. */
export function readAll(batch: RecordBatch): SeenRecord[] {
  const view = new RecordView()
  const seen: SeenRecord[] = []
  while (batch.read(view)) seen.push(copyOf(view))
  return seen
}

export function copyOf(view: RecordView): SeenRecord {
  const { buffer, keyStart, keyLength, offset, timestamp } = view
  const key = keyLength < 0 ? null : buffer.toString('hex', keyStart, keyStart + keyLength)
  return { offset, timestamp, key, value: view.valueCopy()?.toString('hex') ?? null }
}

/** Writes the checksum anew, over a batch that was changed on purpose. */
export function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch, 21), 17)
  return batch
}

export const CODECS: readonly { name: string; code: number; pack: (bytes: Buffer) => Buffer }[] = [
  { name: 'gzip', code: 1, pack: (bytes) => gzipSync(bytes) },
  { name: 'snappy', code: 2, pack: snappyCompress },
  { name: 'snappy as Java writes it', code: 2, pack: (bytes) => xerial(bytes, 1 << 15) },
  { name: 'lz4', code: 3, pack: lz4Compress },
  { name: 'zstd', code: 4, pack: (bytes) => zstdCompressSync(bytes) },
]

/** The same batch with its records packed. */
export function compressed(batch: Buffer, code: number, pack: (bytes: Buffer) => Buffer): Buffer {
  const packed = Buffer.concat([batch.subarray(0, 61), pack(batch.subarray(61))])
  packed.writeInt16BE((packed.readInt16BE(21) & ~7) | code, 21)
  packed.writeInt32BE(packed.length - 12, 8)
  return sealed(packed)
}

/** The same batch as part of a producer's transaction. */
export function transactional(batch: Buffer, producerId: bigint): Buffer {
  const marked = Buffer.from(batch)
  marked.writeInt16BE(marked.readInt16BE(21) | 0x10, 21)
  marked.writeBigInt64BE(producerId, 43)
  return sealed(marked)
}

/** The batch by which a broker ends a transaction, as Kafka's ControlRecordType has it. */
export function marker(baseOffset: number, producerId: bigint, type: 'abort' | 'commit'): Buffer {
  const record = [0, 0, 0, 8, 0, 0, 0, type === 'abort' ? 0 : 1, 12, 0, 0, 0, 0, 0, 0, 0]
  const batch = Buffer.concat([Buffer.alloc(61), Buffer.from([record.length * 2, ...record])])
  batch.writeBigInt64BE(BigInt(baseOffset), 0)
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt8(2, 16)
  batch.writeInt16BE(0x30, 21)
  batch.writeBigInt64BE(producerId, 43)
  batch.writeInt32BE(1, 57)
  return sealed(batch)
}

function xerial(bytes: Buffer, chunkBytes: number): Buffer {
  const parts: Buffer[] = [Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])]
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = snappyCompress(bytes.subarray(at, at + chunkBytes))
    const length = Buffer.alloc(4)
    length.writeInt32BE(chunk.length)
    parts.push(length, chunk)
  }
  return Buffer.concat(parts)
}
