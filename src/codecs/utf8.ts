import { Rejection } from '../runtime/log/codec.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text of the bytes at `[start, end)`, a byte order mark included, or a rejection where they are not UTF-8. */
export function utf8Text(buffer: Buffer, start: number, end: number): string | Rejection {
  try {
    return decoder.decode(buffer.subarray(start, end))
  } catch {
    return new Rejection('not-utf8', `not UTF-8 text, ${end - start} bytes`)
  }
}

/** What a record without a value, or without a key, is to a codec that needs bytes. */
export function noBytes(): Rejection {
  return new Rejection('no-value', 'null where bytes were expected')
}
