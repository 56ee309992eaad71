import type { OperatorFunction } from 'rxjs'
import type { Codec } from '../runtime/codec.ts'
import { decoding } from '../runtime/decoding.ts'
import type { OperatorSpec } from '../runtime/operator.ts'
import type { RecordView } from '../runtime/record.ts'

/** What `decode` is called, and who hears of what it sets aside. */
export interface DecodeOptions {
  /** Names the operator in dead letters; `decode` if left out. */
  readonly name?: string
  /** Outside a task: receives what cannot be decoded. */
  readonly onReject?: OperatorSpec['onReject']
}

/**
 * Passes the value that the codec makes of each record's bytes.
 *
 * A record that the codec rejects becomes a dead letter with its reason; one that holds nothing for the pipeline is passed over. Keeps nothing.
 * A replay makes the same values and the same dead letters of the same bytes, as far as the codec does.
 * @throws ConfigurationError on an empty name
 */
export function decode<T>(codec: Codec<T>, options: DecodeOptions = {}): OperatorFunction<RecordView, T> {
  return decoding(codec, { name: options.name ?? 'decode', onReject: options.onReject })
}
