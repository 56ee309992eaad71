import { encodeHeaders } from '../../runtime/log/encodeHeaders.ts'
import { type RecordHeader, RecordView } from '../../runtime/log/record.ts'

/** A record of the test: text as it is, anything else that is not bytes as JSON, null for a tombstone. */
export interface TestRecord {
  readonly value: unknown
  /** Text is taken as UTF-8. */
  readonly key?: string | Uint8Array | null
  readonly headers?: readonly RecordHeader[]
  /** ms UTC; none unless told. */
  readonly timestamp?: number
}

const nothing = Buffer.alloc(0)

/** The record as a log gives it. */
export function viewOf(record: TestRecord, offset: number): RecordView {
  const { value } = record
  const bytes =
    value === null || value === undefined || value instanceof Uint8Array
      ? value
      : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  const key = typeof record.key === 'string' ? Buffer.from(record.key) : record.key
  const headers = encodeHeaders(record.headers ?? [])
  const view = new RecordView()
  view.offset = offset
  view.timestamp = record.timestamp ?? -1
  view.buffer = Buffer.concat([headers, key ?? nothing, bytes ?? nothing])
  view.headersLength = headers.length
  view.keyStart = headers.length
  view.keyLength = key?.length ?? -1
  view.valueStart = headers.length + (key?.length ?? 0)
  view.valueLength = bytes?.length ?? -1
  return view
}
