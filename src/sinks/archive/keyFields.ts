import { isUtf8 } from 'node:buffer'
import { FixedText, isSame, viewOf } from './ascii.ts'

/** What a key costs in the maps beside its bytes, roughly. */
const OVERHEAD_BYTES = 300
const RECENT = 1024

let last = 0

interface KeyField {
  readonly key: DataView
  readonly field: FixedText
  /** With what comes before a value that stands there as it is. */
  readonly beforeValue: Buffer
}

/**
 * The key's field of a line (`"key":"BTCUSDT",`, or `,"key_base64":"…",` where the key is not UTF-8), made once for
 * each key. Keeps every key that it was asked for; those met lately are found by a hash of their bytes, without
 * making a text of them.
 */
export class KeyFields {
  /** No other of the process has it. */
  readonly number: number
  /** The keys that are text, in the order in which they were met. */
  readonly texts: string[] = []
  #heldBytes = 0
  #last: KeyField | null = null
  readonly #recent: (KeyField | undefined)[] = new Array(RECENT)
  /** By the key's bytes read as Latin-1, which names any bytes exactly. */
  readonly #all = new Map<string, KeyField>()

  constructor() {
    last += 1
    this.number = last
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** The field of the key that lies there. `view` is of the bytes of `buffer`. */
  of(buffer: Buffer, view: DataView, keyStart: number, keyLength: number): KeyField {
    if (this.#last !== null && isSame(this.#last.key, view, keyStart, keyLength)) return this.#last
    this.#last = this.#recentOf(buffer, view, keyStart, keyLength)
    return this.#last
  }

  #recentOf(buffer: Buffer, view: DataView, keyStart: number, keyLength: number): KeyField {
    let hash = keyLength
    for (let i = keyStart; i < keyStart + keyLength; i++) hash = Math.imul(hash ^ (buffer[i] as number), 0x01000193)
    const slot = (hash ^ (hash >>> 15)) & (RECENT - 1)
    const recent = this.#recent[slot]
    if (recent !== undefined && isSame(recent.key, view, keyStart, keyLength)) return recent
    const found = this.#find(buffer.subarray(keyStart, keyStart + keyLength))
    this.#recent[slot] = found
    return found
  }

  #find(bytes: Buffer): KeyField {
    const name = bytes.toString('latin1')
    const known = this.#all.get(name)
    if (known !== undefined) return known
    const text = this.#render(bytes)
    const field = new FixedText(text)
    const made = { key: viewOf(new Uint8Array(bytes)), field, beforeValue: Buffer.from(`${text}"value":`) }
    this.#all.set(name, made)
    this.#heldBytes += 3 * bytes.length + 2 * field.length + OVERHEAD_BYTES
    return made
  }

  #render(bytes: Buffer): string {
    if (!isUtf8(bytes)) return `,"key_base64":"${bytes.toString('base64')}",`
    const text = bytes.toString('utf8')
    this.texts.push(text)
    return `,"key":${JSON.stringify(text)},`
  }
}
