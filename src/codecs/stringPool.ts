/** Longer strings are made anew each time. */
const maxPooledBytes = 64
const maxEntries = 4096
const tableSize = 4 * maxEntries
/** Keeps strings that were chosen to collide from making every look-up long. */
const maxProbes = 16

interface PooledString {
  readonly bytes: Uint8Array
  readonly text: string
}

/**
 * Gives the same string for the same bytes, without decoding them again, once the string has been accepted.
 *
 * Holds at most 4096 strings of at most 64 bytes; a pool that is full starts over.
 */
export class StringPool {
  private readonly accept: (text: string) => string | null
  private table: (PooledString | undefined)[] = new Array<PooledString | undefined>(tableSize).fill(undefined)
  private size = 0

  /** @param accept what the schema makes of a new string, or null where it refuses it. Must depend on the string alone. */
  constructor(accept: (text: string) => string | null) {
    this.accept = accept
  }

  /** The string at `[start, end)`, which must be valid UTF-8 with the given hash, or null where it was not accepted. */
  get(buffer: Buffer, start: number, end: number, hash: number): string | null {
    const length = end - start
    let index = (hash ^ (hash >>> 15)) & (tableSize - 1)
    for (let probe = 0; probe < maxProbes; probe += 1) {
      const entry = this.table[index]
      if (entry === undefined) return this.add(buffer, start, end, index)
      if (entry.bytes.length === length && hasBytes(entry.bytes, buffer, start)) return entry.text
      index = (index + 1) & (tableSize - 1)
    }
    return this.accept(buffer.toString('utf8', start, end))
  }

  private add(buffer: Buffer, start: number, end: number, index: number): string | null {
    const text = this.accept(buffer.toString('utf8', start, end))
    if (text === null || end - start > maxPooledBytes) return text
    const entry = { bytes: Uint8Array.prototype.slice.call(buffer, start, end), text }
    if (this.size >= maxEntries) {
      this.table.fill(undefined)
      this.size = 0
    }
    // After starting over the old place is free as well, though perhaps not the first that the hash leads to:
    // then the string is found missing once more, which costs a second entry and nothing else.
    this.table[index] = entry
    this.size += 1
    return text
  }
}

function hasBytes(bytes: Uint8Array, buffer: Buffer, start: number): boolean {
  for (let index = 0; index < bytes.length; index += 1) {
    if (bytes[index] !== buffer[start + index]) return false
  }
  return true
}
