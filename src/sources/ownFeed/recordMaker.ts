import { ConfigurationError } from '../../runtime/errors.ts'
import type { FeedTarget } from '../../runtime/feed.ts'
import type { OutgoingRecord } from '../../runtime/log.ts'
import { eventTimeProblem } from '../eventTimeBounds.ts'
import type { FeedDefinition, FeedPart, FeedRecord, WritableTopic } from './defineFeed.ts'

const noTime = -1

/** Makes records of what a feed yields, by the codecs of its topic. Keeps nothing. */
export class RecordMaker {
  readonly #definition: FeedDefinition<WritableTopic>
  readonly #target: FeedTarget

  constructor(definition: FeedDefinition<WritableTopic>, target: FeedTarget) {
    this.#definition = definition
    this.#target = target
  }

  /** Throws `ConfigurationError` that says which value of the part cannot be a record, and why. */
  recordsOf(part: FeedPart<unknown>, before: string | null): OutgoingRecord[] {
    return 'records' in part
      ? part.records.map((record, index) => this.#told('record', index, before, () => this.#ofRecord(record)))
      : part.values.map((value, index) => this.#told('value', index, before, () => this.#ofValue(value)))
  }

  #ofValue(value: unknown): OutgoingRecord {
    const { topic, key: keyOf, time } = this.#definition
    const bytes = topic.value.encode(value)
    const told = keyOf?.(value) ?? null
    const key = topic.key !== undefined && keyOf !== undefined ? topic.key.encode(told) : asBytes(told)
    return this.#record(key, bytes, time === undefined ? noTime : checkedTime(time(value)))
  }

  #ofRecord({ key = null, value, timestamp = noTime, headers }: FeedRecord): OutgoingRecord {
    const time = timestamp === noTime ? noTime : checkedTime(timestamp)
    const record = this.#record(asBytes(key), asBytes(value), time)
    return headers === undefined ? record : { ...record, headers }
  }

  #record(key: Uint8Array | null, value: Uint8Array | null, timestamp: number): OutgoingRecord {
    return { partition: this.#target.partitionOf(key), timestamp, key, value }
  }

  #told<R>(what: string, index: number, before: string | null, make: () => R): R {
    try {
      return make()
    } catch (error) {
      const { name, topic } = this.#definition
      const place = before === null ? 'at the start' : `behind position ${JSON.stringify(before.slice(0, 80))}`
      const why = error instanceof Error ? error.message : String(error)
      throw new ConfigurationError(
        `feed ${name}: ${what} ${index} of the batch ${place} cannot go to topic ${topic.name}: ${why}`,
        { topic: topic.name, cause: error },
      )
    }
  }
}

function asBytes(data: unknown): Uint8Array | null {
  if (data === null || data instanceof Uint8Array) return data
  if (typeof data !== 'string')
    throw new TypeError(`a key, or the value of a record, is text, bytes or null, got ${typeof data}`)
  if (!data.isWellFormed()) throw new TypeError('the text has half a surrogate pair')
  return Buffer.from(data)
}

function checkedTime(ms: unknown): number {
  if (typeof ms !== 'number') throw new TypeError(`the time is a number of ms, got ${typeof ms}`)
  const problem = eventTimeProblem(ms)
  if (problem !== null) throw new TypeError(`the time ${problem}`)
  if (!Number.isInteger(ms)) throw new TypeError(`the time is ${ms}, not whole ms`)
  return ms
}
