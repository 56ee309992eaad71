const wordBytes = 8
const deepest = 32

/**
 * Roughly how many bytes a value takes: its texts and bytes, and a word for everything else. What is shared counts as often as it is met, because it is written as often.
 * Below some depth nothing is looked at any more, so that a value that holds itself ends too.
 */
export function sizeOf(value: unknown, depth = 0): number {
  if (typeof value === 'string') return wordBytes + value.length
  if (typeof value === 'bigint') return 2 * wordBytes
  if (typeof value !== 'object' || value === null || depth > deepest) return wordBytes
  if (ArrayBuffer.isView(value)) return wordBytes + value.byteLength
  let bytes = wordBytes
  if (Array.isArray(value)) for (const one of value) bytes += sizeOf(one, depth + 1)
  else for (const name in value) bytes += sizeOf((value as Readonly<Record<string, unknown>>)[name], depth + 1)
  return bytes
}
