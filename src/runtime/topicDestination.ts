import type { Delivery, Destination } from './destination.ts'
import { ConfigurationError, RefusedMessageError } from './errors.ts'
import type { OpenOutgoingTopic, OutgoingTopic } from './log.ts'
import { RecordTooLargeError } from './recordTooLarge.ts'

/** A topic of a log as a destination: the part is the producer, whose position is the place, so each message is in the topic once. */
export class TopicDestination implements Destination {
  readonly #open: OpenOutgoingTopic
  readonly #topic: string
  readonly #fallbackPartition: number
  #opened: OutgoingTopic | null = null
  #part: string | null = null

  /** @param fallbackPartition where messages without a key go */
  constructor(open: OpenOutgoingTopic, topic: string, fallbackPartition: number) {
    this.#open = open
    this.#topic = topic
    this.#fallbackPartition = fallbackPartition
  }

  async claim(part: string): Promise<number | null> {
    this.#part = part
    this.#opened ??= await this.#open(this.#topic)
    const { position } = await this.#opened.writer.claim(part)
    if (position === null) return null
    const place = Number(position)
    if (/^\d+$/.test(position) && Number.isSafeInteger(place)) return place
    throw new ConfigurationError(
      `Producer ${part} of topic ${this.#topic} has the position ${JSON.stringify(position.slice(0, 80))}, which is no count of messages: somebody else appends under this name. ` +
        'Give the pipeline or the outlet another name.',
      { topic: this.#topic },
    )
  }

  async send(messages: readonly Delivery[], place: number): Promise<void> {
    const opened = this.#opened
    if (opened === null) throw new ConfigurationError(`topic ${this.#topic}: nothing is claimed yet`)
    const records = messages.map(({ time, key, value, headers }) => ({
      partition: opened.partitionOf(key, this.#fallbackPartition),
      timestamp: time,
      key,
      value,
      ...(headers === undefined ? {} : { headers }),
    }))
    try {
      await opened.writer.append(records, String(place))
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
