import type { RecordHeader } from './record.ts'

/** A value of a pipeline on its way out, as bytes. */
export interface OutgoingMessage {
  /** ms UTC, by event time: a replay has to give the same. */
  readonly time: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** None unless told; kept in their order. */
  readonly headers?: readonly RecordHeader[]
  /**
   * What it says, where that is said once, ever: the store takes no second message of this identity for the outlet of the pipeline, whichever task makes it, and also where the pipeline reads its
   * topics from the beginning again. Up to 500 characters. None where it is left out.
   */
  readonly identity?: string
}

/** A message with its place among those of its outlet. */
export interface StoredMessage extends OutgoingMessage {
  /** Counts the messages of one outlet in one task from 1, without gaps. */
  readonly sequence: number
}

/** A message as its destination gets it. */
export interface Delivery extends OutgoingMessage {
  /** The same at each attempt, in each process and in a replay under the same name: pipeline, topic, partition, outlet and sequence. For whoever has to tell a repeat. */
  readonly id: string
}

/**
 * Something outside that takes the messages of one outlet of one task, in order.
 *
 * One that keeps the place together with what it takes, and gives it back at `claim`, gets each message once. One that cannot gives null and gets each at least
 * once, with an id by which it can tell a repeat.
 */
export interface Destination {
  /** How many messages one `send` takes at most; as many as come together where it is left out. */
  readonly maxMessages?: number
  /**
   * Takes the outlet's part over for this process; whoever sent it before should be turned away from now on. Gives the place that was last kept, which counts the messages
   * up to the last that was sent or set aside, or null where that is not known.
   * @param part which messages they are: pipeline, topic, partition and outlet, and behind an `@` the id of the outbox where the store has one
   */
  claim(part: string): Promise<number | null>
  /**
   * Sends all or throws: `RetryableError` for what may pass, after which the same messages come again, behind a new `claim`; `TaskFencedError` when somebody else has
   * taken over; `RefusedMessageError` for a message that will never be taken, which is set aside, after which the others come again.
   * @param place of the last of them, for a destination that keeps it: a number that counts the messages of the part
   * @param signal fires when this process has to let go; what was not sent is sent by the next one
   */
  send(messages: readonly Delivery[], place: number, signal: AbortSignal): Promise<void>
  /** Lets go of connections. What was sent stays. */
  close(): Promise<void>
}
