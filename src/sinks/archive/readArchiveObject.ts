import { CorruptRecordError } from '../../runtime/errors.ts'
import { type RecordHeader, RecordView } from '../../runtime/log/record.ts'
import { ArchiveLines } from './archiveLines.ts'
import { unpackZstdPieces } from './zstdPieces.ts'

/** A record as the log had it. `timestamp` is ms UTC, or -1 for none. */
export interface ArchivedRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** In their order; left out where the record has none. */
  readonly headers?: readonly RecordHeader[]
}

/**
 * The records of an archive object, exactly as they were in the log, one at a time. Unpacks the whole object into
 * memory; values are views into it. Throws `CorruptRecordError` on bytes that the archive did not write.
 */
export function* readArchiveObject(bytes: Uint8Array): Generator<ArchivedRecord> {
  const lines = new ArchiveLines().load(unpack(bytes))
  const view = new RecordView()
  while (lines.read(view)) {
    const { offset, timestamp, buffer, keyStart, keyLength, valueStart, valueLength, headersLength } = view
    yield {
      offset,
      timestamp,
      key: keyLength < 0 ? null : buffer.subarray(keyStart, keyStart + keyLength),
      value: valueLength < 0 ? null : buffer.subarray(valueStart, valueStart + valueLength),
      ...(headersLength === 0 ? {} : { headers: view.headers() }),
    }
  }
  lines.refuseRest()
}

function unpack(bytes: Uint8Array): Buffer {
  try {
    return unpackZstdPieces(bytes)
  } catch (error) {
    throw new CorruptRecordError(`archive object of ${bytes.length} bytes is not whole, or none`, { cause: error })
  }
}
