import type { AvroCodec } from '../../../src/codecs/avro/avroCodec.ts'
import { Rejection } from '../../../src/runtime/log/codec.ts'
import { recordOf } from '../recordOf.ts'

/** What the codec makes of the bytes, the schema fetched first as a worker does. */
export async function decoded<T>(codec: AvroCodec<T>, value: Uint8Array | null): Promise<T | Rejection> {
  const record = recordOf({ value })
  await codec.prepare(record)
  return codec.decode(record)
}

/** A body behind the header that says which schema wrote it. */
export function framed(id: number, body: Uint8Array | readonly number[]): Buffer {
  const header = Buffer.alloc(5)
  header.writeInt32BE(id, 1)
  return Buffer.concat([header, Buffer.from(body)])
}

/** A long as Avro writes it. */
export function long(value: bigint | number): number[] {
  const wide = BigInt(value)
  let zigzag = wide < 0n ? -2n * wide - 1n : 2n * wide
  const bytes: number[] = []
  for (; zigzag > 127n; zigzag >>= 7n) bytes.push(Number(zigzag & 127n) | 128)
  return [...bytes, Number(zigzag)]
}

/** The reason and the detail where it is a rejection. */
export function refusal(value: unknown): string {
  return value instanceof Rejection ? `${value.reason}: ${value.detail}` : `no rejection but ${String(value)}`
}
