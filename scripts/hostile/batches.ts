import { gzipSync, zstdCompressSync } from 'node:zlib'
import { lz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import { checksum } from '../../src/sources/recordBatch/checksum.ts'
import { encodeEmptyBatch, encodeRecordBatch } from '../../src/sources/recordBatch/encode.ts'
import {
  ATTRIBUTES,
  BASE_TIMESTAMP,
  BATCH_LENGTH,
  CONTROL,
  CRC,
  HEADER_BYTES,
  LENGTH_STARTS_AT,
  MAX_TIMESTAMP,
  RECORD_COUNT,
  TRANSACTIONAL,
} from '../../src/sources/recordBatch/layout.ts'
import type { Random } from '../../src/testing/random.ts'
import type { DrawnRecord } from './records.ts'

/** A batch as it lies in a log, and which of its records can be read. */
export interface DrawnBatch {
  readonly kind: string
  readonly baseOffset: number
  readonly nextOffset: number
  readonly bytes: Buffer
  /** By offset. */
  readonly records: ReadonlyMap<number, DrawnRecord>
  /** True where a person has to say that the pipeline goes on behind it. */
  readonly isBroken: boolean
}

type Spoil = (batch: Buffer, random: Random) => Buffer

/** Each leaves a batch that no reader may take a record of; what stands before the place may have been read. */
const spoilers: Readonly<Record<string, Spoil>> = {
  'flipped bit': (batch, random) => {
    batch[random.int(CRC, batch.length - 1)]! ^= 1 << random.int(0, 7)
    return batch
  },
  'wrong length': (batch, random) => {
    batch.writeInt32BE(random.pick([-1, 0, 12, batch.length, 0x7fffffff]), BATCH_LENGTH)
    return batch
  },
  'wrong magic': (batch, random) => {
    batch[16] = random.pick([0, 1, 3, 255])
    return batch
  },
  'too many records': (batch, random) => {
    batch.writeInt32BE(batch.readInt32BE(RECORD_COUNT) + random.int(1, 1_000_000), RECORD_COUNT)
    return sealed(batch)
  },
  'a record that runs over': (batch) => {
    batch[HEADER_BYTES] = 0xff
    batch[HEADER_BYTES + 1] = 0x7f
    return sealed(batch)
  },
  'no such codec': (batch, random) => {
    batch.writeInt16BE(random.pick([5, 6, 7]), ATTRIBUTES)
    return sealed(batch)
  },
  'a transaction of nobody': (batch) => {
    batch.writeInt16BE(TRANSACTIONAL, ATTRIBUTES)
    return sealed(batch)
  },
}

/** Batches of the embedded log, in which nothing compressed is expected. */
export function drawBatch(random: Random, baseOffset: number, records: readonly DrawnRecord[]): DrawnBatch {
  const nextOffset = baseOffset + records.length
  const byOffset = new Map(records.map((record, i) => [baseOffset + i, record]))
  const place = { baseOffset, nextOffset }
  const plain = encodeRecordBatch(
    baseOffset,
    records.map(({ record }) => record),
  )
  const chance = random.fraction()
  if (chance < 0.06) {
    const kind = random.pick(Object.keys(spoilers))
    return { ...place, kind, bytes: (spoilers[kind] as Spoil)(plain, random), records: byOffset, isBroken: true }
  }
  if (chance < 0.08)
    return { ...place, kind: 'compressed', bytes: packed(plain, random), records: byOffset, isBroken: true }
  if (chance < 0.11)
    return {
      ...place,
      kind: 'empty',
      bytes: encodeEmptyBatch(baseOffset, records.length),
      records: new Map(),
      isBroken: false,
    }
  if (chance < 0.14) {
    plain.writeInt16BE(CONTROL | TRANSACTIONAL, ATTRIBUTES)
    return { ...place, kind: 'control', bytes: sealed(plain), records: new Map(), isBroken: false }
  }
  if (chance < 0.2) {
    const time = random.pick([-(2n ** 63n), 2n ** 63n - 1n, -1n, 0n])
    plain.writeBigInt64BE(time, BASE_TIMESTAMP)
    plain.writeBigInt64BE(time, MAX_TIMESTAMP)
    return { ...place, kind: 'times out of range', bytes: sealed(plain), records: byOffset, isBroken: false }
  }
  return { ...place, kind: 'plain', bytes: plain, records: byOffset, isBroken: false }
}

const codecs: readonly (readonly [number, (bytes: Buffer) => Buffer])[] = [
  [1, (bytes) => gzipSync(bytes)],
  [2, (bytes) => snappyCompress(bytes)],
  [3, (bytes) => lz4Compress(bytes)],
  [4, (bytes) => zstdCompressSync(bytes)],
]

/** The same batch with its records packed by any of Kafka's codecs. */
export function packed(batch: Buffer, random: Random): Buffer {
  const [code, pack] = random.pick(codecs)
  const bytes = Buffer.concat([batch.subarray(0, HEADER_BYTES), pack(batch.subarray(HEADER_BYTES))])
  bytes.writeInt16BE(code, ATTRIBUTES)
  bytes.writeInt32BE(bytes.length - LENGTH_STARTS_AT, BATCH_LENGTH)
  return sealed(bytes)
}

function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(checksum(batch, ATTRIBUTES, batch.length), CRC)
  return batch
}
