import { ConfigurationError } from '../../runtime/errors.ts'
import type { FeedTarget } from '../../runtime/log/feed.ts'
import type { OutgoingRecord } from '../../runtime/log/log.ts'
import { isSimulatedMark, refusedMark } from '../tapeMark.ts'
import type { FeedDefinition, FeedPart, WritableTopic } from './defineFeed.ts'
import { checkedTime, type FeedRecord, outgoingRecord } from './feedRecord.ts'

/** Makes records of what a feed yields, by the codecs of its topic. Keeps nothing. */
export class RecordMaker {
  readonly #definition: FeedDefinition<WritableTopic>
  readonly #target: FeedTarget

  constructor(definition: FeedDefinition<WritableTopic>, target: FeedTarget) {
    this.#definition = definition
    this.#target = target
  }

  /**
   * Throws `ConfigurationError` that says which value of the part cannot be a record, and why.
   * @param before the position that the part lies behind
   */
  recordsOf(part: FeedPart<unknown>, before: string | null): OutgoingRecord[] {
    return 'records' in part
      ? part.records.map((record, index) => this.#outgoing('record', index, before, () => record))
      : part.values.map((value, index) => this.#outgoing('value', index, before, () => this.#recordOf(value)))
  }

  #recordOf(value: unknown): FeedRecord {
    const { topic, key: keyOf, time } = this.#definition
    const bytes = topic.value.encode(value)
    const key = keyOf?.(value) ?? null
    return {
      key: topic.key !== undefined && keyOf !== undefined ? topic.key.encode(key) : (key as string | Uint8Array | null),
      value: bytes,
      ...(time === undefined ? {} : { timestamp: checkedTime(time(value)) }),
    }
  }

  #outgoing(what: string, index: number, before: string | null, recordOf: () => FeedRecord): OutgoingRecord {
    const { name, topic, isSimulated = false } = this.#definition
    try {
      const record = outgoingRecord(recordOf(), this.#target)
      if (
        !isSimulated &&
        record.value !== null &&
        isSimulatedMark(Buffer.from(record.value.buffer, record.value.byteOffset, record.value.length))
      )
        throw new TypeError(`${refusedMark('it')}; a feed of such records says isSimulated: true`)
      return record
    } catch (error) {
      const place = before === null ? 'at the start' : `behind position ${JSON.stringify(before.slice(0, 80))}`
      const why = error instanceof Error ? error.message : String(error)
      throw new ConfigurationError(
        `feed ${name}: ${what} ${index} of the batch ${place} cannot go to topic ${topic.name}: ${why}`,
        { topic: topic.name, cause: error },
      )
    }
  }
}
