import { type Clock, sleptEnough } from '../../runtime/clock.ts'

/** Frames of these symbols may be missing before the next one. */
export class GapPossible {
  readonly symbols: readonly string[]

  constructor(symbols: readonly string[]) {
    this.symbols = symbols
  }
}

/** A frame as received, or the mark that frames may be missing. */
export type InboxItem = Buffer | GapPossible

export interface InboxOptions {
  readonly maxBytes: number
  /** The socket is to be read no further. */
  readonly onFull: () => void
  /** Half of it is free again. */
  readonly onRoom: () => void
}

/** What is counted beside a frame's bytes: its buffer object and its place. */
const itemBytes = 200

/** What was received and not yet read, in order. Bounded by asking the socket to wait. */
export class Inbox {
  readonly #options: InboxOptions
  #items: InboxItem[] = []
  #head = 0
  #bytes = 0
  #isFull = false
  #wake: () => void = () => undefined

  constructor(options: InboxOptions) {
    this.#options = options
  }

  get isEmpty(): boolean {
    return this.#head === this.#items.length
  }

  push(item: InboxItem): void {
    this.#items.push(item)
    this.#bytes += sizeOf(item)
    this.#wake()
    if (this.#isFull || this.#bytes < this.#options.maxBytes) return
    this.#isFull = true
    this.#options.onFull()
  }

  shift(): InboxItem | undefined {
    const item = this.#items[this.#head]
    if (item === undefined) return undefined
    this.#head++
    this.#bytes -= sizeOf(item)
    // Moving the rest down now and then keeps a take at constant cost.
    if (this.#head > 1_024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    if (this.#isFull && this.#bytes * 2 < this.#options.maxBytes) {
      this.#isFull = false
      this.#options.onRoom()
    }
    return item
  }

  /** Ends a wait: something else has come. */
  wake(): void {
    this.#wake()
  }

  /** Resolves when there is an item, after `ms`, or when the signal fires. */
  async wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
    if (!this.isEmpty) return
    const woken = new AbortController()
    this.#wake = () => {
      this.#wake = () => undefined
      woken.abort(sleptEnough)
    }
    await clock.sleep(ms, AbortSignal.any([woken.signal, signal]))
    this.#wake = () => undefined
  }
}

function sizeOf(item: InboxItem): number {
  return item instanceof GapPossible ? itemBytes : item.length + itemBytes
}
