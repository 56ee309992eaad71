import { ConfigurationError } from '../../runtime/errors.ts'

/** S3's limit for a whole key; the limit of common file systems for one segment. */
const MAX_KEY_BYTES = 1024
const MAX_SEGMENT_BYTES = 255

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const FORBIDDEN = /[\u0000-\u001f\u007f\ufffe\uffff\\]/

/**
 * Throws `ConfigurationError` unless the key can be kept alike by a bucket and by a directory: segments joined by
 * `/`, none empty or starting with a dot (hence no way out of the root), no backslash, no lone surrogate, and no
 * character that XML cannot carry, because S3 lists keys in XML.
 */
export function assertObjectKey(key: string): void {
  const problem = problemOf(key)
  if (problem !== null) throw new ConfigurationError(`object key ${JSON.stringify(key.slice(0, 200))} ${problem}`)
}

function problemOf(key: string): string | null {
  if (key === '') return 'is empty'
  if (!key.isWellFormed()) return 'holds a lone surrogate, so it has no UTF-8 form'
  if (FORBIDDEN.test(key)) return 'holds a backslash, or a character that XML cannot carry (as control characters)'
  const bytes = Buffer.byteLength(key)
  if (bytes > MAX_KEY_BYTES) return `is ${bytes} bytes long; at most ${MAX_KEY_BYTES} are allowed`
  for (const segment of key.split('/')) {
    if (segment === '') return 'has an empty segment (a slash at an end, or two in a row)'
    if (segment.startsWith('.')) return `has the segment ${JSON.stringify(segment)}; none may start with a dot`
    const segmentBytes = Buffer.byteLength(segment)
    if (segmentBytes > MAX_SEGMENT_BYTES) return `has a segment of ${segmentBytes} bytes; at most ${MAX_SEGMENT_BYTES}`
  }
  return null
}

/** Orders keys by their UTF-8 bytes, as S3 lists them. JavaScript's own order differs beyond U+FFFF. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
