import { ConfigurationError, RefusedMessageError } from '../errors.ts'
import type { Delivery, Destination } from '../log/destination.ts'
import type { OpenOutgoingTopic, OutgoingTopic } from '../log/log.ts'
import { isMarker } from '../log/marker.ts'
import { RecordTooLargeError } from '../log/recordTooLarge.ts'

/** The place, and behind it the outbox whose place it is, which releases before did not write. */
const storedPlace = /^(\d{1,16})(?: (\S+))?$/

/** A topic of a log as a destination: the part is the producer, whose position is the place, so each message is in the topic once. */
export class TopicDestination implements Destination {
  readonly #open: OpenOutgoingTopic
  readonly #topic: string
  readonly #fallbackPartition: number
  readonly #outboxId: string | null
  #opened: OutgoingTopic | null = null
  #part: string | null = null

  /**
   * @param fallbackPartition where messages without a key go
   * @param outboxId of the messages, or null where there is one outbox of their name only
   */
  constructor(open: OpenOutgoingTopic, topic: string, fallbackPartition: number, outboxId: string | null) {
    this.#open = open
    this.#topic = topic
    this.#fallbackPartition = fallbackPartition
    this.#outboxId = outboxId
  }

  async claim(part: string): Promise<number | null> {
    this.#part = part
    this.#opened ??= await this.#open(this.#topic)
    const { position } = await this.#opened.writer.claim(part)
    if (position === null) return null
    const [, count, outboxId] = storedPlace.exec(position) ?? []
    if (outboxId !== undefined && outboxId !== this.#outboxId) {
      throw new ConfigurationError(
        `Producer ${part} of topic ${this.#topic} sends for outbox ${outboxId}, and this database's is ${this.#outboxId}: a pipeline of the same name in another database or ` +
          'schema sends to the same topic, or this database was restored from a backup of before it was migrated. Nothing was sent. Copy what the pipeline keeps under a new name ' +
          '(millrace state copy) and start it under that, or give the outlet a new name.',
        { topic: this.#topic },
      )
    }
    const place = Number(count)
    if (Number.isSafeInteger(place)) return place
    throw new ConfigurationError(
      `Producer ${part} of topic ${this.#topic} has the position ${JSON.stringify(position.slice(0, 80))}, which is no count of messages: somebody else appends under this name. ` +
        'Give the pipeline or the outlet another name.',
      { topic: this.#topic },
    )
  }

  async send(messages: readonly Delivery[], place: number): Promise<void> {
    const opened = this.#opened
    if (opened === null) throw new ConfigurationError(`topic ${this.#topic}: nothing is claimed yet`)
    const records = messages.flatMap((message) => {
      const { time, key, value, headers } = message
      const record = { timestamp: time, key, value, ...(headers === undefined ? {} : { headers }) }
      return isMarker(message)
        ? Array.from({ length: opened.partitions }, (_, partition) => ({ ...record, partition }))
        : [{ ...record, partition: opened.partitionOf(key, this.#fallbackPartition) }]
    })
    try {
      await opened.writer.append(records, this.#outboxId === null ? String(place) : `${place} ${this.#outboxId}`)
    } catch (error) {
      if (!(error instanceof RecordTooLargeError)) throw error
      // An append that failed may have cost the writer its producer.
      if (this.#part !== null) await this.claim(this.#part)
      throw new RefusedMessageError(error.message, { topic: this.#topic, cause: error })
    }
  }

  async close(): Promise<void> {
    await this.#opened?.writer.close()
  }
}
