import type { Codec } from '../runtime/log/codec.ts'

/** A codec that also makes bytes of a value, as whatever appends to a topic needs them. */
export interface TwoWayCodec<T> extends Codec<T> {
  /** The bytes of a value, of which `decode` makes the same value again; null for a tombstone. Throws for what is no such value. */
  encode(value: T): Uint8Array | null
}
