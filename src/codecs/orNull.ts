import type { Codec } from '../runtime/log/codec.ts'
import { checkArgument, needed } from '../runtime/options.ts'
import type { TwoWayCodec } from './twoWayCodec.ts'

/**
 * The same codec for records that may lack what it reads: null for a tombstone (a record without a value), and, as the key codec of `wholeRecord`, for a record
 * without a key. `encode` makes a tombstone of null. Without it, most codecs reject both.
 *
 * A codec that itself gives null, such as one for a nullable schema, does not tell its null from a tombstone any more.
 * @throws ConfigurationError on what is no codec
 */
export function orNull<T>(codec: TwoWayCodec<T>): TwoWayCodec<T | null>
export function orNull<T>(codec: Codec<T>): Codec<T | null>
export function orNull<T>(codec: Codec<T> | TwoWayCodec<T>): Codec<T | null> | TwoWayCodec<T | null> {
  checkArgument('orNull', 'its first argument', codec, needed.codec)
  const read: Codec<T | null> = {
    ...(codec.prepare === undefined
      ? {}
      : { prepare: (record) => (record.valueLength < 0 ? undefined : codec.prepare?.(record)) }),
    decode: (record, facts) => (record.valueLength < 0 ? null : codec.decode(record, facts)),
  }
  if (!('encode' in codec)) return read
  return { ...read, encode: (value) => (value === null ? null : codec.encode(value)) }
}
