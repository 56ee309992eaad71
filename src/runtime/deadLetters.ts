import type { DeadLetter } from './checkpoint.ts'
import type { Json } from './json.ts'
import { type RecordHeader, type RecordView, redriveHeader, redrivePipelineHeader } from './record.ts'

/** Why something is set aside: a short, stable `reason`, the `detail` with the numbers, and the `operator` that did it. */
export interface Rejected {
  readonly operator: string
  readonly reason: string
  readonly detail: string
}

/** The reason of a letter whose value has been taken as well, by some of the windows that it is for: it must not come a second time. */
export const partlyLate = 'partly-late'

/** What an `Origin` is made of. */
type OriginFields = Pick<Origin, 'input' | 'offset' | 'recordTime' | 'key' | 'headers' | 'payload' | 'redrivenFor'>

/**
 * The record that a value was made of, copied out of the record view so that it can be set aside later.
 *
 * It numbers the letters of its record, for each operator from 0, so that a replay gives each the same identity; the numbers are saved with it.
 */
export class Origin {
  /** Which input of the task the record came from. */
  readonly input: number
  readonly offset: number
  /** The record's timestamp, ms UTC. */
  readonly recordTime: number | null
  readonly key: Uint8Array | null
  readonly headers: readonly RecordHeader[]
  /** The value of the record. */
  readonly payload: Uint8Array | null
  /** The operator that the record comes to a second time, because it had set it aside. */
  readonly redrivenFor: string | null
  readonly #ordinals: Map<string, number>

  constructor(fields: OriginFields, ordinals: Map<string, number> = new Map()) {
    this.input = fields.input
    this.offset = fields.offset
    this.recordTime = fields.recordTime
    this.key = fields.key
    this.headers = fields.headers
    this.payload = fields.payload
    this.redrivenFor = fields.redrivenFor
    this.#ordinals = ordinals
  }

  /** Copies the record out of its view. `ordinals` is the count of its letters so far, by operator. */
  static of(record: RecordView, input: number, redrivenFor: string | null, ordinals: Map<string, number>): Origin {
    return new Origin(
      {
        input,
        offset: record.offset,
        recordTime: record.timestamp < 0 ? null : record.timestamp,
        key: record.keyCopy(),
        headers: record.headers(),
        payload: record.valueCopy(),
        redrivenFor,
      },
      ordinals,
    )
  }

  /** A place in the log without a record: what is set aside there is no single record's doing. */
  static at(input: number, offset: number, ordinals?: Map<string, number>): Origin {
    return new Origin({ ...nothing, input, offset }, ordinals)
  }

  /**
   * The origin that was encoded.
   * @param known the numbers of each record's letters, by `placeKey`, which origins of one record share
   */
  static decode(saved: Json, known: Map<string, Map<string, number>>): Origin {
    const fields = saved as unknown as SavedOrigin
    const { input = 0 } = fields
    const place = placeKey(input, fields.offset)
    const ordinals = known.get(place) ?? new Map<string, number>()
    known.set(place, ordinals)
    for (const [operator, next] of Object.entries(fields.ordinals ?? {})) {
      ordinals.set(operator, Math.max(next, ordinals.get(operator) ?? 0))
    }
    return new Origin(
      {
        input,
        offset: fields.offset,
        recordTime: fields.recordTime,
        key: fields.key === null ? null : keyBytes(fields),
        headers: (fields.headers ?? []).map(([key, value]) => ({ key, value: bytesOf(value) })),
        payload: bytesOf(fields.payload),
        redrivenFor: fields.redrivenFor ?? null,
      },
      ordinals,
    )
  }

  /** What a snapshot keeps of it; `Restored.origin` makes it an origin again. */
  encode(): Json {
    return {
      ...(this.input === 0 ? {} : { input: this.input }),
      offset: this.offset,
      recordTime: this.recordTime,
      key: textOf(this.key),
      keyEncoding: 'base64',
      headers: this.headers.map(({ key, value }) => [key, textOf(value)]),
      payload: textOf(this.payload),
      redrivenFor: this.redrivenFor,
      ordinals: Object.fromEntries(this.#ordinals),
    }
  }

  /** The same place, for what is not this record's own doing; its letters are numbered together with the record's. */
  withoutRecord(): Origin {
    return Origin.at(this.input, this.offset, this.#ordinals)
  }

  /** The same record on its way to another operator, or, with null, as any record. */
  redrivenTo(operator: string | null): Origin {
    return operator === this.redrivenFor ? this : new Origin({ ...this, redrivenFor: operator }, this.#ordinals)
  }

  /** The dead letter of this record, with the next number of its operator. */
  letter(rejected: Rejected): DeadLetter {
    const ordinal = this.#ordinals.get(rejected.operator) ?? 0
    this.#ordinals.set(rejected.operator, ordinal + 1)
    const { input, offset, recordTime, key, headers, payload } = this
    const letter = { ...rejected, offset, ordinal, recordTime, key, headers, payload }
    return input === 0 ? letter : { ...letter, input }
  }
}

/** A record of a task by its input and offset. */
export function placeKey(input: number, offset: number): string {
  return `${input}/${offset}`
}

const nothing = { recordTime: null, key: null, headers: [], payload: null, redrivenFor: null }

interface SavedOrigin {
  /** Absent for the leading one. */
  readonly input?: number
  readonly offset: number
  readonly recordTime: number | null
  readonly key: string | null
  /** Absent where 0.1.0 wrote it, when keys were text. */
  readonly keyEncoding?: 'base64'
  readonly headers?: readonly (readonly [string, string | null])[]
  readonly payload: string | null
  readonly redrivenFor?: string | null
  readonly ordinals?: Readonly<Record<string, number>>
}

function keyBytes({
  key,
  keyEncoding = 'utf8' as const,
}: {
  key: string | null
  keyEncoding?: 'base64' | 'utf8'
}): Buffer {
  return Buffer.from(key ?? '', keyEncoding)
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
}

function bytesOf(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text, 'base64')
}

const redriveHeaderBytes = Buffer.from(redriveHeader)
const redrivePipelineHeaderBytes = Buffer.from(redrivePipelineHeader)

/** The operator that the record is redriven for, as its header names it; null for an ordinary record, undefined for one that is redriven for another pipeline. */
export function redriveTarget(record: RecordView, pipeline: string): string | null | undefined {
  const operator = record.headerValue(redriveHeaderBytes)
  if (operator == null) return null
  const owner = record.headerValue(redrivePipelineHeaderBytes)
  if (owner != null && Buffer.from(owner).toString('utf8') !== pipeline) return undefined
  return Buffer.from(operator).toString('utf8')
}
