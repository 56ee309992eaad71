import { CorruptRecordError } from '../../runtime/errors.ts'
import { unpackZstdPieces } from './zstdPieces.ts'

/** A record as the log had it. `timestamp` is ms UTC, or -1 for none. */
export interface ArchivedRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/**
 * The fields before the value. The writer puts no blank anywhere and the value last, so the value's bytes can be cut
 * out as they are.
 */
const HEAD =
  /^\{"offset":(\d+),"timestamp":(-?[\d.e+]+),(?:"key":(null|"[^"\\]*(?:\\.[^"\\]*)*")|"key_base64":"([A-Za-z0-9+/=]*)"),"(value|base64)":/

/** Looked at first, so that a value of a megabyte is not turned into text. */
const COMMON_HEAD_BYTES = 512

/**
 * The records of an archive object, exactly as they were in the log, one at a time. Unpacks the whole object into
 * memory; values are views into it. Throws `CorruptRecordError` on bytes that the archive did not write.
 */
export function* readArchiveObject(bytes: Uint8Array): Generator<ArchivedRecord> {
  const lines = unpack(bytes)
  let lineNumber = 0
  for (let start = 0; start < lines.length; ) {
    lineNumber++
    const end = lines.indexOf(0x0a, start)
    if (end < 0) throw corrupt(lineNumber, 'has no end')
    yield readLine(lines.subarray(start, end), lineNumber)
    start = end + 1
  }
}

function unpack(bytes: Uint8Array): Buffer {
  try {
    return unpackZstdPieces(bytes)
  } catch (error) {
    throw new CorruptRecordError(`archive object of ${bytes.length} bytes is not whole, or none`, { cause: error })
  }
}

function readLine(line: Buffer, lineNumber: number): ArchivedRecord {
  // Latin-1 keeps one character a byte, so that a position in the text is a position in the line.
  const match = HEAD.exec(line.toString('latin1', 0, COMMON_HEAD_BYTES)) ?? HEAD.exec(line.toString('latin1'))
  if (match === null || line.at(-1) !== 0x7d) throw corrupt(lineNumber, 'is not a record')
  const [head, offset, timestamp, key, keyBase64, field] = match
  return {
    offset: Number(offset),
    timestamp: Number(timestamp),
    key: keyBase64 === undefined ? readKey(key as string) : Buffer.from(keyBase64, 'base64'),
    value: readValue(line.subarray(head.length, -1), field === 'base64', lineNumber),
  }
}

function readKey(json: string): Buffer | null {
  if (json === 'null') return null
  return Buffer.from(JSON.parse(Buffer.from(json, 'latin1').toString('utf8')) as string)
}

function readValue(bytes: Buffer, isBase64: boolean, lineNumber: number): Buffer | null {
  if (!isBase64) return bytes.equals(NULL) ? null : bytes
  if (bytes[0] !== 0x22 || bytes.at(-1) !== 0x22) throw corrupt(lineNumber, 'has a value that is not base64 text')
  return Buffer.from(bytes.toString('latin1', 1, bytes.length - 1), 'base64')
}

const NULL = Buffer.from('null')

function corrupt(lineNumber: number, what: string): CorruptRecordError {
  return new CorruptRecordError(`archive object: line ${lineNumber} ${what}`)
}
