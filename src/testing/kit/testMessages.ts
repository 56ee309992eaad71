import { isUtf8 } from 'node:buffer'
import { Rejection } from '../../runtime/log/codec.ts'
import type { StoredMessage } from '../../runtime/log/destination.ts'
import { isMarker } from '../../runtime/log/marker.ts'
import type { MessageTarget } from '../../runtime/pipeline/outlet.ts'
import type { MessageWrite } from '../../runtime/store/checkpoint.ts'
import { viewOf } from './testRecord.ts'

/** A message of an outlet, as its destination gets it. */
export interface TestMessage<T> extends StoredMessage {
  /** The value as the codec of the topic reads it again; undefined where the outlet has a topic's name alone, or a destination of its own. */
  readonly decoded: T | undefined
}

/** The messages of all outlets, in their order. */
export class TestMessages {
  readonly #byOutlet = new Map<string, StoredMessage[]>()

  apply(writes: readonly MessageWrite[]): void {
    for (const { outlet, messages } of writes) {
      const stored = this.#byOutlet.get(outlet)
      if (stored === undefined) this.#byOutlet.set(outlet, [...messages])
      else stored.push(...messages)
    }
  }

  /** Without markers, and numbered as if there were none: where they stand depends on where checkpoints fall. */
  of(outlet: string): readonly StoredMessage[] {
    const values = this.withMarkers(outlet).filter((message) => !isMarker(message))
    return values.map((message, i) => ({ ...message, sequence: i + 1 }))
  }

  /** All that the topic gets. */
  withMarkers(outlet: string): readonly StoredMessage[] {
    return this.#byOutlet.get(outlet) ?? []
  }
}

/** The message with its value as the topic's codec reads it. Throws where it does not: who reads the topic could not either. */
export function decodedMessage(outlet: string, message: StoredMessage, to: MessageTarget): TestMessage<unknown> {
  if (to.kind !== 'topic' || to.codecs === undefined) return { ...message, decoded: undefined }
  const { key, value, headers, time, sequence } = message
  const record = { key, value, timestamp: time, ...(headers === undefined ? {} : { headers }) }
  const decoded = to.codecs.value.decode(viewOf(record, sequence - 1))
  if (!(decoded instanceof Rejection)) return { ...message, decoded }
  throw new Error(
    `outlet ${outlet}: the codec of topic ${to.topic} cannot read its message ${sequence}: ${decoded.reason}: ${decoded.detail}`,
  )
}

/** All of a message, so that two runs can be compared. */
export function messageText({ sequence, time, key, value, headers = [] }: StoredMessage): string {
  const shownHeaders = headers.map((one) => `${one.key}=${bytesText(one.value)}`).join(' ')
  return `#${sequence} time=${time} key=${bytesText(key)} value=${bytesText(value)}${shownHeaders === '' ? '' : ` ${shownHeaders}`}`
}

/** Bytes that are no text as hex. */
function bytesText(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null'
  return isUtf8(bytes) ? JSON.stringify(Buffer.from(bytes).toString()) : Buffer.from(bytes).toString('hex')
}
