import type { ReadAhead } from './readAhead.ts'
import type { RecordFacts, RecordView } from './record.ts'

/** A record that cannot become a value: data for a dead letter, never an exception. */
export class Rejection {
  /** Stable and short, for grouping: `malformed`, `unknown-symbol`. */
  readonly reason: string
  /** What was wrong, with the numbers; free of the payload, which the dead letter carries beside it. */
  readonly detail: string

  constructor(reason: string, detail: string) {
    this.reason = reason
    this.detail = detail
  }
}

/** Turns the bytes of a record into a value. */
export interface Codec<T> {
  /**
   * Called before `decode` of the same record where a codec has to fetch something first, such as a schema: undefined where all is there, which must be cheap, and
   * otherwise a promise. Reads the record before it returns and not after. Rejects with `RetryableError` where what it needs is out of reach for now; about a record that
   * cannot be read it says nothing, for `decode` rejects that. Only codecs of inputs are prepared, so the operator `decode` refuses a codec that has it.
   */
  prepare?(record: RecordView): Promise<void> | undefined
  /**
   * A value, a rejection, or undefined for a sound record that holds nothing for this pipeline. Never throws, keeps no reference to the view. What it learns
   * about the bytes beyond the value it may leave in `facts`.
   */
  decode(record: RecordView, facts?: RecordFacts): T | Rejection | undefined
  /** For a codec that can read many records at once: makes what does it, for one input of a task, with room for so many of them. Whoever takes over `decode` must not take over this. */
  readonly lender?: ((rows: number) => Lender<T>) | undefined
}

/** Reads the values of many records at once, and lends them one by one. */
export interface Lender<T> {
  /** Reads the one at hand of these records, and all behind it, into the rows of theirs (`firstRow`). Others stay as they are. Never throws. */
  read(ahead: ReadAhead): void
  /**
   * What `decode` gives for the record of that row, as a value that is lent (`Lent`): it is that of another record after the next call. Undefined where `decode` has to be asked. Only
   * for records that are one JSON object each.
   */
  lend(row: number): T | undefined
  /** The first row behind that one, up to `to`, of which it is not certain that the same object lends it. */
  lentUntil(row: number, to: number): number
}
