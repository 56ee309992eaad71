import { Observable, type OperatorFunction, Subscriber } from 'rxjs'
import { type Borrower, borrows, kept, place } from './lent.ts'
import { type Lending, lookBelow, Span } from './span.ts'

/** The values of one kind, as `filter` has them; one that is lent is passed on as such. */
export function only<T, S extends T>(isWanted: (value: T) => value is S): OperatorFunction<T, S> {
  return (source) => new Observable((subscriber) => source.subscribe(new Only(subscriber, isWanted)))
}

class Only<T, S extends T> extends Subscriber<T> implements Borrower<T> {
  readonly #isWanted: (value: T) => value is S
  readonly #below: Subscriber<S>
  readonly #borrower: Borrower<S> | null
  readonly #wanted = new Span<S>()

  constructor(below: Subscriber<S>, isWanted: (value: T) => value is S) {
    super(below)
    this.#isWanted = isWanted
    this.#below = below
    this.#borrower = borrows(below) ? below : null
  }

  nextLent(value: T): void {
    if (this.isStopped || !this.#wants(value)) return
    if (this.#borrower === null) this.#below.next(kept(value))
    else this.#borrower.nextLent(value)
  }

  look(span: Span<T>, to: number): number {
    const wanted = this.#wanted
    wanted.begin(span)
    const { value } = span
    wanted.value = value as unknown as Lending<S>
    let count = 0
    let end = to
    for (let i = 0; i < span.count; i += 1) {
      const record = span.records[i] as number
      if (record >= to) break
      value[place] = record
      try {
        if (!this.#isWanted(value)) continue
      } catch {
        // It is asked again when the record comes by itself, and what it throws is told then.
        end = record
        break
      }
      wanted.records[count] = record
      count += 1
    }
    wanted.count = count
    return lookBelow(this.#borrower, wanted, end)
  }

  take(_span: Span<T>, to: number): void {
    this.#borrower?.take(this.#wanted, to)
  }

  protected override _next(value: T): void {
    if (this.#wants(value)) this.#below.next(value)
  }

  #wants(value: T): value is S {
    try {
      return this.#isWanted(value)
    } catch (error) {
      this.error(error)
      return false
    }
  }
}
