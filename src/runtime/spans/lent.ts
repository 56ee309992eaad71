import type { Subscriber } from 'rxjs'
import { fieldOf } from '../field.ts'
import type { FieldColumns, LentColumn, TextColumn } from './lentColumn.ts'
import type { SpanReader } from './span.ts'

/** Moves a value that is lent to the record of this number, of those that were read together and lend the same object. */
export const place: unique symbol = Symbol('place')

/** Makes a value of its own of one that is lent. */
export const keep: unique symbol = Symbol('keep')

/** Who numbers texts knows no more of them at a time. */
export const mostNumbers = 16_384

/** Finds the column of a text. */
export const textsWith: unique symbol = Symbol('textsWith')

/** Gives what a function says of all values at once. */
export const columnOf: unique symbol = Symbol('columnOf')

/** The columns of the fields that are one. */
export const fields: unique symbol = Symbol('fields')

/**
 * A value that still lies in columns: it has the properties of the value as long as its record is at hand, and is that of another record afterwards. Who is lent one looks at it
 * before it returns, passes it on as it is, and keeps what `kept` makes of it.
 */
export abstract class Lent<T> {
  abstract set [place](record: number)
  /** The value for good. */
  abstract [keep](): T

  /** The texts of the field that has this text at the record at hand, where texts have numbers; null where there are none. */
  [textsWith](_text: string): TextColumn | null {
    return null
  }

  /** Columns of fields, if any are. They stay where they are, and hold what was read last. */
  get [fields](): FieldColumns | null {
    return null
  }

  /** What the function would give for each record, without asking it; null where it has to be asked. */
  [columnOf](read: object): LentColumn | null {
    const name = fieldOf(read)
    return name === undefined ? null : (this[fields]?.[name] ?? null)
  }
}

/** The property of a value that is lent, for `Object.defineProperty`: it can be read, and whoever sets it is told why not, for what was set would be set for every record that is lent after this one. */
export function lentProperty(name: string, get: () => unknown): PropertyDescriptor {
  return {
    enumerable: true,
    get,
    set: () => {
      throw new TypeError(
        `a callback reads its value and does not change it, but one sets ${name}: set it in a map above`,
      )
    },
  }
}

/** The value itself, for who is not done with it at once or hands it to code that may not be. */
export function kept<T>(value: T): T {
  return value instanceof Lent ? (value as Lent<T>)[keep]() : value
}

/** Takes values that are lent, beside such as are not, and spans of them. */
export interface Borrower<T> extends SpanReader<T> {
  /** What `next` does, with a value that is lent. */
  nextLent(value: T): void
}

/** Whether the reader takes values that are lent; what is no reader of ours would keep them. */
export function borrows<T>(reader: Subscriber<T>): reader is Subscriber<T> & Borrower<T> {
  return 'nextLent' in reader
}
