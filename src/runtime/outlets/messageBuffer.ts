import { refusePromise } from '../atOnce.ts'
import { Batch } from '../batch.ts'
import { MillraceError } from '../errors.ts'
import type { OutgoingMessage, StoredMessage } from '../log/destination.ts'
import { headersBytes } from '../log/encodeHeaders.ts'
import { isMarkerHeader, type Marker, markerMessage } from '../log/marker.ts'
import { farthestTimestamp, isRedriveHeader, type RecordHeader } from '../log/record.ts'
import type { MessagesOutlet } from '../pipeline/outlet.ts'
import type { MessageWrite } from '../store/checkpoint.ts'
import type { ResultBuffer } from './resultBuffer.ts'

/** The messages of one outlet between two cuts, numbered. Keeps them until they are taken. */
export class MessageBuffer implements ResultBuffer {
  readonly badReason = 'bad-message'
  readonly findsBadAtOnce = true
  readonly name: string
  /** The topic that markers are written into; null where none are. */
  readonly markedTopic: string | null
  readonly #encode: (value: unknown) => OutgoingMessage
  #messages: StoredMessage[] = []
  #bytes = 0
  /** Of the last message. */
  #sequence: number

  /** @param sent how many messages the outlet has emitted so far */
  constructor(name: string, outlet: MessagesOutlet<unknown>, sent: number) {
    this.name = name
    this.#encode = outlet.encode as (value: unknown) => OutgoingMessage
    this.markedTopic = outlet.markers === true && outlet.to.kind === 'topic' ? outlet.to.topic : null
    this.#sequence = sent
  }

  get size(): number {
    return this.#messages.length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** How many the outlet has emitted, ever. */
  get sent(): number {
    return this.#sequence
  }

  /** @throws what `encode` throws, where nobody is told of it or it says what to do */
  add(value: unknown, onBad: ((detail: string) => void) | null): void {
    if (value instanceof Batch) for (const one of value) this.#add(one, onBad)
    else this.#add(value, onBad)
  }

  /** Messages never replace each other. */
  isMixedBy(): boolean {
    return false
  }

  /** Puts a marker behind what has come together. It takes a number as a message does, for both go the same way. */
  mark(marker: Marker): void {
    this.#push(markerMessage(marker))
  }

  /** What has come together, or null. */
  take(): MessageWrite | null {
    if (this.#messages.length === 0) return null
    const messages = this.#messages
    this.#messages = []
    this.#bytes = 0
    return { outlet: this.name, messages }
  }

  #add(value: unknown, onBad: ((detail: string) => void) | null): void {
    let message: OutgoingMessage
    try {
      message = this.#encode(value)
      refusePromise(`outlet ${this.name}: encode`, message)
      refusePromise(`outlet ${this.name}: encode, for the time,`, message.time)
      refusePromise(`outlet ${this.name}: encode, for the value,`, message.value)
      if (!(Number.isSafeInteger(message.time) && Math.abs(message.time) <= farthestTimestamp))
        throw new TypeError(`its time is ${message.time}, not a whole number of ms within ${farthestTimestamp} of 1970`)
      requireBytes('key', message.key)
      requireBytes('value', message.value)
      requireIdentity(message.identity)
    } catch (error) {
      if (onBad === null || error instanceof MillraceError) throw error
      onBad(error instanceof Error ? error.message : String(error))
      return
    }
    this.#push(withoutOurHeaders(message))
  }

  #push(message: OutgoingMessage): void {
    this.#sequence += 1
    this.#messages.push({ ...message, sequence: this.#sequence })
    this.#bytes += messageBytes(message)
  }
}

/** Codecs and destinations are written in JavaScript, too. */
function requireBytes(what: string, bytes: unknown): void {
  if (bytes !== null && !(bytes instanceof Uint8Array))
    throw new TypeError(`its ${what} must be bytes or null, got ${typeof bytes}`)
}

/** It is part of a primary key. */
const maxIdentityChars = 500

function requireIdentity(identity: unknown): void {
  if (identity === undefined) return
  if (typeof identity === 'string' && identity !== '' && identity.length <= maxIdentityChars) return
  throw new TypeError(`its identity must be text of 1 to ${maxIdentityChars} characters`)
}

const messageOverhead = 128

function messageBytes({ key, value, headers }: OutgoingMessage): number {
  const ofHeaders = headers === undefined ? 0 : headersBytes(headers)
  return messageOverhead + (key?.length ?? 0) + (value?.length ?? 0) + ofHeaders
}

/** Whoever hands the headers of a record on does not mean those that say for whom it was fed again, or that it is no value. */
function withoutOurHeaders(message: OutgoingMessage): OutgoingMessage {
  if (message.headers?.some(isOurs) !== true) return message
  return { ...message, headers: message.headers.filter((header) => !isOurs(header)) }
}

function isOurs(header: RecordHeader): boolean {
  return isRedriveHeader(header) || isMarkerHeader(header)
}
