import type { Observable } from 'rxjs'
import type { Batch } from '../runtime/batch.ts'
import type { RecordHeader } from '../runtime/log/record.ts'
import type { AnyTopic } from '../runtime/log/topic.ts'
import { checkArgument, checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { MessagesOutlet, MessageTarget } from '../runtime/pipeline/outlet.ts'
import { Withdrawn } from '../runtime/withdrawn.ts'

/** Makes bytes of a value, as a two-way codec does; null for a tombstone. */
export interface Encodes<T> {
  /** Throws for what it has no bytes for, which is set aside as `bad-message`. */
  readonly encode: (value: T) => Uint8Array | null
}

/** What every way into a topic says of a value. */
export interface MessageOf<T> {
  /** ms UTC, by event time: a replay has to give the same. */
  readonly at: (value: T) => number
  /** None if left out. */
  readonly headers?: (value: T) => readonly RecordHeader[]
  /**
   * True for a topic that is read with `upstreamTime`: at checkpoints at which the time of the task has moved, a marker that says how far goes to every partition of the topic. Whoever else
   * reads the topic must pass over records with the header `millrace-marker`; pipelines do so by themselves. False if left out.
   */
  readonly markers?: boolean
}

/** Into a topic whose keys have a codec. */
export interface IntoKeyedTopic<T, K> extends MessageOf<T> {
  readonly topic: { readonly name: string; readonly value: Encodes<T>; readonly key: Encodes<K> }
  /** The key, which decides the partition; null for none, which goes to the partition of the task. */
  readonly by: (value: T) => K | null
}

/** Into a topic whose keys are bytes, or text in UTF-8. */
export interface IntoTopic<T> extends MessageOf<T> {
  readonly topic: { readonly name: string; readonly value: Encodes<T>; readonly key: undefined }
  /** The key, which decides the partition; null, or left out, for none, which goes to the partition of the task. */
  readonly by?: (value: T) => string | Uint8Array | null
}

/** Into a topic that is known by its name alone. */
export interface IntoNamedTopic<T> extends MessageOf<T> {
  readonly topic: string
  /** The bytes of a value, or text, which is written as UTF-8; null for a tombstone. */
  readonly encode: (value: T) => string | Uint8Array | null
  /** The key, which decides the partition; null, or left out, for none, which goes to the partition of the task. */
  readonly by?: (value: T) => string | Uint8Array | null
}

const aTopic = needed.such('a topic, such as topic(…) makes, or the name of one', (value) => {
  if (typeof value === 'string') return value !== ''
  return typeof value === 'object' && value !== null && 'name' in value && 'value' in value
})
const namedRules: OptionRules<IntoNamedTopic<never>> = {
  topic: aTopic,
  at: needed.callback,
  headers: optional.callback,
  markers: optional.flag,
  encode: needed.callback,
  by: optional.callback,
}
const plainRules: OptionRules<IntoTopic<never>> = {
  topic: aTopic,
  at: needed.callback,
  headers: optional.callback,
  markers: optional.flag,
  by: optional.callback,
}
const keyedRules: OptionRules<IntoKeyedTopic<never, never>> = { ...plainRules, by: needed.callback }

/**
 * Ends a stream of a pipeline in a topic of the log that it runs on: its messages are stored in the transaction of the checkpoint and sent right after it, in order.
 *
 * Each is in the topic once for consumers that read committed, whatever dies: the log keeps how far a task was sent together with what it was sent. Messages of one key stay in
 * order where they come from one task and the topic keeps its number of partitions. What was `withdrawn` becomes a tombstone under the key of the value. A value that cannot be encoded is set aside
 * as `bad-message`. Kept meanwhile: in the database what is not sent yet, up to `maxWaitingMessages` a task and outlet, after which the task waits. With `markers` it is the upper half of a hop, which
 * needs a time: the start ends with a `ConfigurationError` where no `eventTime` or `upstreamTime` stands in the pipeline.
 * @throws ConfigurationError on what cannot be used
 */
export function toTopic<T, K>(values: Results<T>, into: IntoKeyedTopic<NoInfer<T>, K>): MessagesOutlet<T>
export function toTopic<T>(
  values: Results<T>,
  into: IntoTopic<NoInfer<T>> | IntoNamedTopic<NoInfer<T>>,
): MessagesOutlet<T>
export function toTopic<T, K>(values: Results<T>, into: Into<T, K>): MessagesOutlet<T> {
  checkArgument('toTopic', 'its first argument, the values,', values, needed.stream)
  checkOptions('toTopic', into, rulesFor(into))
  const { at, headers, markers = false } = into
  const encodeValue = valueEncoder(into)
  const encodeKey = keyEncoder(into)
  return {
    kind: 'messages',
    values,
    encode: (result: T | Withdrawn<T>) => {
      const isGone = result instanceof Withdrawn
      const value: T = isGone ? result.row : result
      const key = encodeKey(value)
      if (isGone && key === null) {
        throw new TypeError(
          'it takes a value back, which a topic tells by a tombstone under its key, and it has no key',
        )
      }
      return {
        time: at(value),
        key,
        value: isGone ? null : encodeValue(value),
        ...(headers === undefined ? {} : { headers: headers(value) }),
      }
    },
    to: targetOf(into),
    ...(markers ? { markers } : {}),
  }
}

/** Single values and what takes values back, or batches of them. */
type Results<T> = Observable<T | Withdrawn<T> | Batch<T | Withdrawn<T>>>

/** Into whichever topic. */
type Into<T, K> = IntoKeyedTopic<T, K> | IntoTopic<T> | IntoNamedTopic<T>
type Encoder<T> = (value: T) => Uint8Array | null

/** What is wanted depends on the topic. */
function rulesFor<T, K>(into: Into<T, K> | undefined) {
  const topic = into?.topic
  if (topic === undefined || typeof topic === 'string') return namedRules
  if (topic === null || topic.key === undefined) return plainRules
  return keyedRules
}

function targetOf<T, K>({ topic }: Into<T, K>): MessageTarget {
  if (typeof topic === 'string') return { kind: 'topic', topic }
  return { kind: 'topic', topic: topic.name, ...(canBeRead(topic) ? { codecs: topic } : {}) }
}

/** What a topic's value only writes can be sent, and not be read again by the test kit. */
function canBeRead<T extends { readonly value: object }>(topic: T): topic is T & AnyTopic {
  return 'decode' in topic.value
}

function valueEncoder<T, K>(into: Into<T, K>): Encoder<T> {
  if ('encode' in into) return (value) => bytesOf(into.encode(value), 'value')
  const codec = into.topic.value
  return (value) => codec.encode(value)
}

function keyEncoder<T, K>(into: Into<T, K>): Encoder<T> {
  if (isKeyed(into)) {
    const { topic, by } = into
    return (value) => {
      const key = by(value)
      return key === null ? null : topic.key.encode(key)
    }
  }
  const { by } = into
  return by === undefined ? () => null : (value) => bytesOf(by(value), 'key')
}

function isKeyed<T, K>(into: Into<T, K>): into is IntoKeyedTopic<T, K> {
  return typeof into.topic !== 'string' && into.topic.key !== undefined
}

function bytesOf(content: string | Uint8Array | null, what: string): Uint8Array | null {
  if (typeof content !== 'string') return content
  if (!content.isWellFormed()) throw new TypeError(`its ${what} has half a surrogate pair, which UTF-8 cannot hold`)
  return Buffer.from(content)
}
