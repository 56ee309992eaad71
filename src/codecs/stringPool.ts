import { JsonString } from './jsonString.ts'

/** Longer strings are made anew each time. */
const maxPooledBytes = 64
/** Room for every symbol of an exchange, several times over. */
const maxEntries = 16_384
const tableSize = 2 * maxEntries
/** So many strings are read without the pool where those that filled it seldom came again: ids, say, or texts of people. */
const readsWithoutPool = 16 * maxEntries
/** Keeps strings that were chosen to collide from making every look-up long. */
const maxProbes = 16
const quotes = 0x2222_2222
/** Before the bytes of a string: which one it is, and how many bytes it has. */
const headerWords = 2
const maxWords = headerWords + maxPooledBytes / 4 + 1
const storeSize = 12 * maxEntries

/**
 * Gives the same string for the same bytes of JSON, without decoding or checking them again. One with escapes is made anew each time.
 *
 * Holds at most 16,384 strings of at most 64 bytes, about 2 MB; a pool that is full starts over, after a while where it was of no use. Their bytes lie in one array, so that finding one of
 * thousands waits for memory as seldom as possible.
 */
export class StringPool {
  /** The newest string that was found. */
  text = ''
  private readonly accept: (text: string) => string | null
  private readonly texts: string[] = []
  /** By hash: where a string begins in `store`; 0 for none. Both are made when the first string comes. */
  private table = new Int32Array(0)
  private store = new Int32Array(0)
  private storeEnd = 1
  /** How often a string was found since the pool began. */
  private found = 0
  /** How many strings are still to be read without the pool. */
  private apart = 0
  private readonly string = new JsonString()
  /** The string that is being read. */
  private readonly words = new Int32Array(maxPooledBytes / 4 + 1)

  /** @param accept what the schema makes of a new string, or null where it refuses it. Must depend on the string alone. */
  constructor(accept: (text: string) => string | null) {
    this.accept = accept
  }

  /**
   * Reads the string whose content starts at `start` into `text` and gives the position of its closing quote; -1 for a string that does not end before `end`, or is none, and
   * for one that was not accepted. `view` must be the whole of `buffer` and reach four bytes past `end`.
   */
  read(buffer: Buffer, view: DataView, start: number, end: number): number {
    if (this.apart > 0) {
      this.apart -= 1
      return this.readLong(buffer, start, end)
    }
    const { words } = this
    const last = Math.min(end, start + maxPooledBytes)
    let hash = 0
    let count = 0
    for (let at = start; at < last; at += 4) {
      const word = view.getInt32(at, true)
      const difference = word ^ quotes
      // The lowest bit set marks the first byte that is a quote.
      const marks = (difference - 0x0101_0101) & ~difference & 0x8080_8080
      if (marks === 0) {
        words[count] = word
        count += 1
        hash = mix(hash, word)
        continue
      }
      const bits = 24 - Math.clz32(marks & -marks)
      const stop = at + (bits >> 3)
      if (stop >= end) return -1
      const tail = word & ((1 << bits) - 1)
      words[count] = tail
      return this.find(buffer, start, stop, end, mix(hash, tail), count + 1)
    }
    return this.readLong(buffer, start, end)
  }

  private find(buffer: Buffer, start: number, stop: number, end: number, hash: number, count: number): number {
    const { words, table, store } = this
    const length = stop - start
    let index = (hash ^ (hash >>> 16)) & (tableSize - 1)
    for (let probe = 0; probe < maxProbes; probe += 1) {
      const entry = table[index]
      if (entry === undefined || entry === 0) return this.add(buffer, start, stop, end, count, index)
      if (store[entry + 1] === length && isEqual(store, entry + headerWords, words, count)) {
        this.text = this.texts[store[entry] as number] as string
        this.found += 1
        return stop
      }
      index = (index + 1) & (tableSize - 1)
    }
    return this.readLong(buffer, start, end)
  }

  private add(buffer: Buffer, start: number, stop: number, end: number, count: number, index: number): number {
    const last = this.readLong(buffer, start, end)
    if (last < 0 || this.string.hasEscapes) return last
    if (this.texts.length === maxEntries || this.storeEnd + maxWords > this.store.length) this.startOver()
    // In a table that has just started over the place may not be the first that the hash leads to: then the string
    // is missed and added once more.
    const entry = this.storeEnd
    this.table[index] = entry
    this.store[entry] = this.texts.length
    this.store[entry + 1] = stop - start
    for (let word = 0; word < count; word += 1) this.store[entry + headerWords + word] = this.words[word] as number
    this.storeEnd = entry + headerWords + count
    this.texts.push(this.text)
    return stop
  }

  private startOver(): void {
    if (this.found < this.texts.length) this.apart = readsWithoutPool
    this.found = 0
    if (this.table.length === 0) {
      this.table = new Int32Array(tableSize)
      this.store = new Int32Array(storeSize)
    } else this.table.fill(0)
    this.texts.length = 0
    this.storeEnd = 1
  }

  private readLong(buffer: Buffer, start: number, end: number): number {
    const stop = this.string.read(buffer, start, end)
    if (stop < 0) return -1
    const text = this.accept(this.string.text)
    if (text === null) return -1
    this.text = text
    return stop
  }
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e37_79b1)
  return mixed ^ (mixed >>> 15)
}

function isEqual(store: Int32Array, from: number, words: Int32Array, count: number): boolean {
  for (let index = 0; index < count; index += 1) if (store[from + index] !== words[index]) return false
  return true
}
