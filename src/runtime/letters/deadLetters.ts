import type { Json } from '../json.ts'
import { encodeHeaders, headersBytes } from '../log/encodeHeaders.ts'
import { type RecordHeader, type RecordView, redriveHeader, redrivePipelineHeader } from '../log/record.ts'
import { encodeOrdinals } from '../state/ownState.ts'
import type { DeadLetter } from '../store/checkpoint.ts'
import {
  type CutPart,
  type CutParts,
  cutPart,
  keptBytes,
  letterDetail,
  mostLettersOfRecord,
} from '../store/keptBytes.ts'
import { LetterNumbers } from './letterNumbers.ts'

/** Why something is set aside: a short, stable `reason`, the `detail` with the numbers, and the `operator` that did it. */
export interface Rejected {
  readonly operator: string
  readonly reason: string
  readonly detail: string
}

/** The reason of a letter whose value has been taken as well, by some of the windows that it is for: it must not come a second time. */
export const partlyLate = 'partly-late'

/** What an `Origin` is made of. */
type OriginFields = Pick<
  Origin,
  'input' | 'offset' | 'recordTime' | 'key' | 'headers' | 'payload' | 'redrivenFor' | 'cut'
>

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
  /** The value of the record, or its beginning. */
  readonly payload: Uint8Array | null
  /** The parts that are longer than what is kept of them. */
  readonly cut: CutParts
  /** The operator that the record comes to a second time, because it had set it aside. */
  readonly redrivenFor: string | null
  readonly #ordinals: LetterNumbers

  constructor(fields: OriginFields, ordinals = new LetterNumbers()) {
    this.input = fields.input
    this.offset = fields.offset
    this.recordTime = fields.recordTime
    this.key = fields.key
    this.headers = fields.headers
    this.payload = fields.payload
    this.cut = fields.cut
    this.redrivenFor = fields.redrivenFor
    this.#ordinals = ordinals
  }

  /**
   * Copies the record out of its view, each part up to so many bytes.
   * @param ordinals the count of its letters so far, by operator
   */
  static of(
    record: RecordView,
    input: number,
    redrivenFor: string | null,
    ordinals: LetterNumbers,
    mostBytes: number,
  ): Origin {
    const { buffer, offset, timestamp, headersStart, headersLength } = record
    const key = beginning(buffer, record.keyStart, record.keyLength, mostBytes)
    const payload = beginning(buffer, record.valueStart, record.valueLength, mostBytes)
    const headers =
      headersLength <= mostBytes ? null : cutPart(buffer.subarray(headersStart, headersStart + headersLength))
    return new Origin(
      {
        input,
        offset,
        recordTime: timestamp < 0 ? null : timestamp,
        key: key.kept,
        headers: record.headers(Math.min(headersLength, mostBytes)),
        payload: payload.kept,
        redrivenFor,
        cut: cutParts(key.cut, headers, payload.cut),
      },
      ordinals,
    )
  }

  /** A place in the log without a record: what is set aside there is no single record's doing. */
  static at(input: number, offset: number, ordinals?: LetterNumbers): Origin {
    return new Origin({ ...nothing, input, offset }, ordinals)
  }

  /**
   * The origin that was encoded.
   * @param known the numbers of each record's letters, by `placeKey`, which origins of one record share
   */
  static decode(saved: Json, known: Map<string, LetterNumbers>): Origin {
    const fields = saved as unknown as SavedOrigin
    const { input = 0 } = fields
    const place = placeKey(input, fields.offset)
    const ordinals = known.get(place) ?? new LetterNumbers()
    known.set(place, ordinals)
    for (const [operator, next] of Object.entries(fields.ordinals ?? {})) {
      ordinals.goOnAt(operator, Math.max(next, ordinals.next(operator)))
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
        cut: fields.cut ?? {},
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
      ordinals: encodeOrdinals(this.#ordinals.counts),
      ...(isEmpty(this.cut) ? {} : { cut: this.cut as unknown as Json }),
    }
  }

  /** Calls `act` each time a letter of the record gets its number: what was saved of this is old then. */
  onNumbered(act: () => void): void {
    this.#ordinals.onTaken(act)
  }

  /** How many values of the record came to the operator to be asked about before this one. Numbered with the letters, so a restart goes on where it was. */
  nextAsk(operator: string): number {
    return nextAsk(this.#ordinals, operator)
  }

  /** The same place, for what is not this record's own doing; its letters are numbered together with the record's. */
  withoutRecord(): Origin {
    return Origin.at(this.input, this.offset, this.#ordinals)
  }

  /** The same record on its way to another operator, or, with null, as any record. */
  redrivenTo(operator: string | null): Origin {
    return operator === this.redrivenFor ? this : new Origin({ ...this, redrivenFor: operator }, this.#ordinals)
  }

  /** The dead letter of this record, with the next number of its operator; null where its last letter stands for this one too. */
  letter({ operator, reason, detail }: Rejected): DeadLetter | null {
    const ordinal = this.#ordinals.next(operator)
    if (ordinal >= mostLettersOfRecord) return null
    this.#ordinals.take(operator)
    const said =
      ordinal + 1 < mostLettersOfRecord
        ? { operator, reason, detail: letterDetail(detail) }
        : { operator, reason: 'too-many-letters', detail: `${tooMany}; this one: ${reason}: ${letterDetail(detail)}` }
    const { input, offset, recordTime } = this
    const letter = { ...said, offset, ordinal, recordTime, ...this.#kept(ordinal) }
    return input === 0 ? letter : { ...letter, input }
  }

  /** What the letter of this number keeps of the record. */
  #kept(ordinal: number): Pick<DeadLetter, 'key' | 'headers' | 'payload' | 'cut'> {
    const { key, headers, payload, cut } = this
    const most = keptBytes(ordinal, Number.POSITIVE_INFINITY)
    const [keptKey, keyCut] = shorter(key, most, cut.key)
    const [keptPayload, payloadCut] = shorter(payload, most, cut.payload)
    const isFirst = ordinal === 0 || headers.length === 0 || headersBytes(headers) <= most
    const headersCut = cut.headers ?? (isFirst ? undefined : cutPart(encodeHeaders(headers)))
    const parts = cutParts(keyCut ?? null, headersCut ?? null, payloadCut ?? null)
    const kept = { key: keptKey, headers: isFirst ? headers : [], payload: keptPayload }
    return isEmpty(parts) ? kept : { ...kept, cut: parts }
  }
}

/** The number of the next value that the operator asks about, of the record whose letters are numbered here. */
export function nextAsk(ordinals: LetterNumbers, operator: string): number {
  return ordinals.take(`${operator}?`)
}

const tooMany = `one record has ${mostLettersOfRecord} letters of this operator, and no further one is stored`

function beginning(
  buffer: Buffer,
  start: number,
  length: number,
  mostBytes: number,
): { kept: Buffer | null; cut: CutPart | null } {
  if (length < 0) return { kept: null, cut: null }
  const kept = Buffer.from(buffer.subarray(start, start + Math.min(length, mostBytes)))
  return { kept, cut: length <= mostBytes ? null : cutPart(buffer.subarray(start, start + length)) }
}

function shorter(
  kept: Uint8Array | null,
  most: number,
  cut: CutPart | undefined,
): [Uint8Array | null, CutPart | undefined] {
  if (kept === null || kept.length <= most) return [kept, cut]
  return [kept.subarray(0, most), cut ?? cutPart(kept)]
}

function cutParts(key: CutPart | null, headers: CutPart | null, payload: CutPart | null): CutParts {
  return {
    ...(key === null ? {} : { key }),
    ...(headers === null ? {} : { headers }),
    ...(payload === null ? {} : { payload }),
  }
}

function isEmpty({ key, headers, payload }: CutParts): boolean {
  return key === undefined && headers === undefined && payload === undefined
}

/** What a letter takes on its way to the store, roughly. */
export function letterBytes({ key, headers, payload, detail }: DeadLetter): number {
  return letterOverhead + detail.length + (key?.length ?? 0) + (payload?.length ?? 0) + headersBytes(headers)
}

const letterOverhead = 256

/** A record of a task by its input and offset. */
export function placeKey(input: number, offset: number): string {
  return `${input}/${offset}`
}

const nothing = { recordTime: null, key: null, headers: [], payload: null, redrivenFor: null, cut: {} }

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
  /** Absent where all of the record is kept. */
  readonly cut?: CutParts
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
