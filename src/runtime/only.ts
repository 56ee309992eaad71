import { Observable, type OperatorFunction, Subscriber } from 'rxjs'
import { type Borrower, borrows, kept } from './lent.ts'

/** The values of one kind, as `filter` has them; one that is lent is passed on as such. */
export function only<T, S extends T>(isWanted: (value: T) => value is S): OperatorFunction<T, S> {
  return (source) => new Observable((subscriber) => source.subscribe(new Only(subscriber, isWanted)))
}

class Only<T, S extends T> extends Subscriber<T> implements Borrower<T> {
  readonly #isWanted: (value: T) => value is S
  readonly #below: Subscriber<S>
  readonly #borrower: Borrower<S> | null

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
