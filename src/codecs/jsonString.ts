import { jsonStringEnd, plain } from './jsonText.ts'
import { latin1Text } from './latin1.ts'

const quote = 0x22
const backslash = 0x5c
/** Longer strings with escapes are left to JSON.parse. */
const roomBytes = 4_096

/** What stands for a character that a backslash comes before, in one byte; 0 where there is more to it. */
const escaped = new Uint8Array(256)
for (const [letter, character] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'].map((pair) => [...pair])) {
  escaped[(letter as string).charCodeAt(0)] = (character as string).charCodeAt(0)
}

/** Reads strings of JSON where they lie, one at a time. Says what JSON.parse would. */
export class JsonString {
  /** The newest. */
  text = ''
  /** Whether there was a backslash in it. */
  hasEscapes = false
  readonly #room = Buffer.alloc(roomBytes)

  /** Reads the string whose content starts at `start` and gives the position of its closing quote; -1 where it does not end before `end`, or is no string. Places are in bytes. */
  read(buffer: Buffer, start: number, end: number): number {
    let at = start
    while (at < end && plain[buffer[at] as number] === 1) at += 1
    if (at >= end) return -1
    const byte = buffer[at] as number
    this.hasEscapes = byte === backslash
    if (byte === quote) {
      this.text = latin1Text(buffer, start, at)
      return at
    }
    const stop = this.hasEscapes && end - start <= roomBytes ? this.#readEscapes(buffer, start, at, end) : -1
    return stop < 0 ? this.#readAny(buffer, start, at, end) : stop
  }

  /** ASCII, and escapes that stand for ASCII; -1 where there is anything else. */
  #readEscapes(buffer: Buffer, start: number, first: number, end: number): number {
    const room = this.#room
    let length = first - start
    for (let i = 0; i < length; i += 1) room[i] = buffer[start + i] as number
    for (let at = first; at < end; at += 1) {
      const byte = buffer[at] as number
      if (plain[byte] === 1) room[length] = byte
      else if (byte === quote) {
        this.text = latin1Text(room, 0, length)
        return at
      } else {
        const character = byte === backslash && at + 1 < end ? (escaped[buffer[at + 1] as number] as number) : 0
        if (character === 0) return -1
        room[length] = character
        at += 1
      }
      length += 1
    }
    return -1
  }

  /** @param first the first byte that is not plain */
  #readAny(buffer: Buffer, start: number, first: number, end: number): number {
    // What is before the first such byte is in order.
    const stop = jsonStringEnd(buffer, first - 1, end) - 1
    if (stop < 0) return -1
    this.hasEscapes = false
    for (let at = first; at < stop; at += 1) if (buffer[at] === backslash) this.hasEscapes = true
    this.text = this.hasEscapes
      ? (JSON.parse(buffer.toString('utf8', start - 1, stop + 1)) as string)
      : buffer.toString('utf8', start, stop)
    return stop
  }
}
