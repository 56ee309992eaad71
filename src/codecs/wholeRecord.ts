import { type Codec, Rejection } from '../runtime/log/codec.ts'
import { type RecordHeader, RecordView } from '../runtime/log/record.ts'
import { checkArgument, needed, optional } from '../runtime/options.ts'
import { bytesCodec } from './bytesCodec.ts'
import { orNull } from './orNull.ts'

/** All that a record holds, free of the log's memory. */
export interface WholeRecord<V, K> {
  readonly key: K
  readonly value: V
  readonly headers: readonly RecordHeader[]
  readonly offset: number
  /** What the producer, or the log, stamped on the record: ms UTC, or -1 for none. */
  readonly timestamp: number
}

/**
 * Gives key, headers, offset and timestamp of a record beside its value. The key is bytes, or null, unless a codec of its own reads it.
 *
 * Rejects what either codec rejects, a key by the same reasons and with `key: ` before the detail. So a tombstone gets through where the codec is `orNull(…)`,
 * and where the key codec is `orNull(…)` a record without a key. Undefined where either gives undefined.
 * @throws ConfigurationError on what is no codec
 */
export function wholeRecord<V>(value: Codec<V>): Codec<WholeRecord<V, Uint8Array | null>>
export function wholeRecord<V, K>(value: Codec<V>, key: Codec<K>): Codec<WholeRecord<V, K>>
export function wholeRecord<V>(
  valueCodec: Codec<V>,
  keyCodec: Codec<unknown> = orNull(bytesCodec()),
): Codec<WholeRecord<V, unknown>> {
  checkArgument('wholeRecord', 'its first argument, the codec of values,', valueCodec, needed.codec)
  checkArgument('wholeRecord', 'its second argument, the codec of keys,', keyCodec, optional.codec)
  const keyView = new RecordView()
  const keyOf = (record: RecordView): RecordView => {
    keyView.buffer = record.buffer
    keyView.valueStart = record.keyStart
    keyView.valueLength = record.keyLength
    return keyView
  }
  return {
    ...(valueCodec.prepare === undefined && keyCodec.prepare === undefined
      ? {}
      : { prepare: (record) => both(valueCodec.prepare?.(record), keyCodec.prepare?.(keyOf(record))) }),
    decode(record, facts) {
      const value = valueCodec.decode(record, facts)
      if (value === undefined) return undefined
      if (value instanceof Rejection) return value
      const key = keyCodec.decode(keyOf(record))
      if (key === undefined) return undefined
      if (key instanceof Rejection) return new Rejection(key.reason, `key: ${key.detail}`)
      return { key, value, headers: record.headers(), offset: record.offset, timestamp: record.timestamp }
    },
  }
}

function both(value: Promise<void> | undefined, key: Promise<void> | undefined): Promise<void> | undefined {
  if (value === undefined || key === undefined) return value ?? key
  return Promise.all([value, key]).then(() => undefined)
}
