import { mostAhead } from '../log/readAhead.ts'
import { columnOf, type Lent, textsWith } from './lent.ts'
import type { TextColumn } from './lentColumn.ts'
import type { Span } from './span.ts'
import { SpanColumn } from './spanColumns.ts'

const noNumbers = new Int32Array(0)

/** The keys of the values of a span, as a callback gives them, and their small numbers, by which what is kept for a key is found without a look at the key. */
export class SpanKeys<T> extends SpanColumn<T, string> {
  /** By record: the number of its key in the numbering; below 0 for none. */
  numbers: Int32Array = noNumbers
  #column: TextColumn | null = null
  /** By record: the key, and its number, where keys lie in no column. */
  readonly #own: string[] = []
  #ownNumbers: Int32Array | null = null
  /** Where the texts lie that the keys of values one by one are probably among. */
  #likely: TextColumn | null = null
  #isLikelyKnown = false

  override read(span: Span<T>, count: number): number {
    this.#isLikelyKnown = false
    return super.read(span, count)
  }

  /** Says what the numbers of keys are worth: under the same object a number is that of the same key. Null where no key has one. */
  get numbering(): object | null {
    return (this.#column ?? this.#likely)?.numbering ?? null
  }

  /** The key of the record. */
  keyAt(record: number): string {
    return this.#column === null ? (this.#own[record] as string) : this.#column.at(record)
  }

  protected useColumn(value: Lent<unknown>): boolean {
    const column = value[columnOf](this.ask)
    this.#column = column?.kind === 'texts' ? column.texts : null
    if (this.#column === null) this.#ownNumbers ??= new Int32Array(mostAhead)
    this.numbers = this.#column?.ordinals ?? (this.#ownNumbers as Int32Array)
    return this.#column !== null
  }

  protected put(record: number, said: string, value: Lent<unknown>): boolean {
    if (typeof said !== 'string') return false
    if (!this.#isLikelyKnown) {
      this.#isLikelyKnown = true
      this.#likely = value[textsWith](said)
    }
    const likely = this.#likely
    this.#own[record] = said
    this.numbers[record] = likely?.at(record) === said ? (likely.ordinals[record] as number) : -1
    return true
  }
}
