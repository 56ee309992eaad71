import type { TwoWayCodec } from './twoWayCodec.ts'
import { noBytes } from './utf8.ts'

/** Copies the bytes of each record, so that they may be kept, and writes bytes as they are. Rejects a record without a value (`no-value`; see `orNull`). */
export function bytesCodec(): TwoWayCodec<Uint8Array> {
  return {
    decode: (record) => record.valueCopy() ?? noBytes(),
    encode: (bytes) => bytes,
  }
}
