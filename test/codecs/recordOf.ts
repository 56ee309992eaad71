import { encodeHeaders } from '../../src/runtime/log/encodeHeaders.ts'
import { type RecordHeader, RecordView } from '../../src/runtime/log/record.ts'

interface Parts {
  readonly key?: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
  /** How many bytes of something else follow the value in the buffer. */
  readonly after?: number
}

/** A record as it lies in a batch: key, headers and value one after the other, between the bytes of others. */
export function recordOf({ key = null, value, headers = [], after = 100 }: Parts): RecordView {
  const record = new RecordView()
  const encoded = encodeHeaders(headers)
  const parts = [
    Buffer.from('11'),
    key ?? Buffer.alloc(0),
    encoded,
    value ?? Buffer.alloc(0),
    Buffer.alloc(after, 0x31),
  ]
  record.buffer = Buffer.concat(parts)
  record.keyStart = 2
  record.keyLength = key?.length ?? -1
  record.headersStart = record.keyStart + (key?.length ?? 0)
  record.headersLength = headers.length === 0 ? 0 : encoded.length
  record.valueStart = record.headersStart + encoded.length
  record.valueLength = value?.length ?? -1
  record.offset = 7
  record.timestamp = 1_723_118_400_000
  return record
}
