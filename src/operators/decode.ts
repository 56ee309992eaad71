import type { OperatorFunction } from 'rxjs'
import { ConfigurationError } from '../runtime/errors.ts'
import type { Codec } from '../runtime/log/codec.ts'
import type { RecordView } from '../runtime/log/record.ts'
import { decoding } from '../runtime/operator/decoding.ts'
import type { OperatorSpec } from '../runtime/operator/operator.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'

/** What `decode` is called, and who hears of what it sets aside. */
export interface DecodeOptions {
  /** Names the operator in dead letters; `decode` if left out. */
  readonly name?: string
  /** Outside a task: receives what cannot be decoded. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<DecodeOptions> = { name: optional.text, onReject: optional.anyFunction }

/**
 * Passes the value that the codec makes of each record's bytes.
 *
 * A record that the codec rejects becomes a dead letter with its reason; one that holds nothing for the pipeline is passed over. Keeps nothing.
 * A replay makes the same values and the same dead letters of the same bytes, as far as the codec does.
 * @throws ConfigurationError on an empty name, and for a codec that has to be prepared (one with a schema registry): that belongs to an input, `inputs: { orders: { topic, codec } }`
 */
export function decode<T>(codec: Codec<T>, options: DecodeOptions = {}): OperatorFunction<RecordView, T> {
  checkArgument('decode', 'its first argument', codec, needed.codec)
  checkOptions('decode', options, rules)
  const name = options.name ?? 'decode'
  if (codec.prepare !== undefined) {
    throw new ConfigurationError(
      `${name}: the codec has to fetch something before it decodes (a schema), which an operator cannot wait for. Give it to the input: inputs: { orders: { topic, codec } }.`,
    )
  }
  return decoding(codec, { name, onReject: options.onReject })
}
