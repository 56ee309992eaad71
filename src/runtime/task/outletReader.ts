import { type Observer, Subscriber } from 'rxjs'
import type { PackedRowBuffer } from '../outlets/packedRowBuffer.ts'
import type { Borrower } from '../spans/lent.ts'
import type { Span } from '../spans/span.ts'
import type { TaskResults } from './taskResults.ts'

/** Reads the stream of an outlet whose rows are packed as they come: a value that is lent is a row as it is, and many are packed at once. */
export class OutletReader extends Subscriber<unknown> implements Borrower<unknown> {
  readonly #ordinary: Observer<unknown>
  readonly #buffer: PackedRowBuffer
  readonly #results: TaskResults
  /** No row may have more that is taken with others. */
  readonly #mostBytes: number
  /** The last look in which values came here. */
  #lookedIn = 0

  /**
   * @param ordinary takes what comes by itself
   * @param outlets how many the task has
   */
  constructor(ordinary: Observer<unknown>, buffer: PackedRowBuffer, results: TaskResults, outlets: number) {
    super(ordinary)
    this.#ordinary = ordinary
    this.#buffer = buffer
    this.#results = results
    this.#mostBytes = results.shareOf(outlets)
  }

  nextLent(value: unknown): void {
    if (!this.isStopped) this.#ordinary.next(value)
  }

  look(span: Span<unknown>, to: number): number {
    const first = span.recordBehind(0, to)
    // Values that come here on two ways come in turns, and not first all of one way.
    if (first === to || this.#lookedIn === span.look || this.isStopped) return first
    this.#lookedIn = span.look
    const count = this.#buffer.look(span.value, span.records, span.countBefore(to), this.#mostBytes)
    return span.recordBehind(count, to)
  }

  take(span: Span<unknown>, to: number): void {
    const count = span.countBefore(to)
    if (count > 0) this.#results.keep(this.#buffer, count)
  }
}
