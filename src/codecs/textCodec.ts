import type { TwoWayCodec } from './twoWayCodec.ts'
import { noBytes, utf8Text } from './utf8.ts'

/**
 * Reads and writes UTF-8 text, a byte order mark included.
 *
 * Rejects bytes that are not UTF-8 (`not-utf8`) and a record without a value (`no-value`; see `orNull`). `encode` throws TypeError for text with half
 * a surrogate pair, which UTF-8 cannot hold.
 */
export function textCodec(): TwoWayCodec<string> {
  return {
    decode({ buffer, valueStart, valueLength }) {
      return valueLength < 0 ? noBytes() : utf8Text(buffer, valueStart, valueStart + valueLength)
    },
    encode(text) {
      if (!text.isWellFormed()) throw new TypeError('textCodec: the text has half a surrogate pair')
      return Buffer.from(text)
    },
  }
}
