import { mostAhead } from '../log/readAhead.ts'
import { columnOf, type Lent, place } from './lent.ts'
import type { Span } from './span.ts'

const noNumbers = new Float64Array(0)

/** What a callback says of the values of a span, by record: read from a column where the values lie in one that it names, and otherwise by asking it about each. What it throws is told when the value comes by itself. */
export abstract class SpanColumn<T, R> {
  protected readonly ask: (value: T) => R
  /** Who lent the values last, so that it is asked for its column once. */
  #lent: Lent<unknown> | null = null
  #isColumn = false

  constructor(ask: (value: T) => R) {
    this.ask = ask
  }

  /** Reads so many first values of the span; gives of how many that could be done. */
  read({ value, records }: Span<T>, count: number): number {
    if (this.#lent !== value) {
      this.#lent = value
      this.#isColumn = this.useColumn(value)
    }
    if (this.#isColumn) {
      this.readColumn(records, count)
      return count
    }
    let read = 0
    try {
      for (; read < count; read += 1) {
        const record = records[read] as number
        value[place] = record
        if (!this.put(record, this.ask(value), value)) break
      }
    } catch {
      // It is asked again when the value comes by itself, and what it throws is told then.
    }
    return read
  }

  /** Whether the values lie in a column of the kind, which is used from now on. */
  protected abstract useColumn(value: Lent<unknown>): boolean

  /** Looks at so many first records of the column. */
  protected readColumn(_records: Int32Array, _count: number): void {
    return
  }

  /** Keeps what was said of the record; false where that is not of the kind. */
  protected abstract put(record: number, said: R, value: Lent<unknown>): boolean
}

/** Numbers. */
export class SpanNumbers<T> extends SpanColumn<T, number> {
  /** By record. */
  of: Float64Array = noNumbers
  #own: Float64Array | null = null

  protected useColumn(value: Lent<unknown>): boolean {
    const column = value[columnOf](this.ask)
    const isColumn = column?.kind === 'numbers'
    this.#own ??= isColumn ? null : new Float64Array(mostAhead)
    this.of = isColumn ? column.numbers : (this.#own as Float64Array)
    return isColumn
  }

  protected put(record: number, said: number): boolean {
    if (typeof said !== 'number') return false
    this.of[record] = said
    return true
  }
}

/** Whether something is so of each value. */
export class SpanFlags<T> extends SpanColumn<T, boolean | undefined> {
  /** What is so of all of them; null where `of` tells it of each. */
  all: boolean | null = null
  /** By record: 1 where it is so. */
  readonly of = new Uint8Array(mostAhead)

  protected useColumn(value: Lent<unknown>): boolean {
    const column = value[columnOf](this.ask)
    const isSame = column?.kind === 'same' && typeof column.value === 'boolean'
    this.all = isSame ? (column.value as boolean) : null
    return isSame
  }

  protected put(record: number, said: boolean | undefined): boolean {
    // What is missing is not so.
    if (said !== undefined && typeof said !== 'boolean') return false
    this.of[record] = said ? 1 : 0
    return true
  }

  /** Of the record. */
  at(record: number): boolean {
    return this.all ?? this.of[record] === 1
  }
}
