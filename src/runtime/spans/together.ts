import { Observable, Subscriber } from 'rxjs'
import { type Borrower, borrows, kept } from './lent.ts'
import { lookBelow, type Span } from './span.ts'

/** The values of several streams as they come, as `merge` has them; one that is lent is passed on as such. */
export function together<A, B>(...sources: readonly [Observable<A>, Observable<B>]): Observable<A | B> {
  return new Observable((subscriber) => {
    let open = sources.length
    const onEnd = () => {
      open -= 1
      if (open === 0) subscriber.complete()
    }
    for (const source of sources as readonly Observable<A | B>[]) source.subscribe(new Branch(subscriber, onEnd))
  })
}

class Branch<T> extends Subscriber<T> implements Borrower<T> {
  readonly #below: Subscriber<T>
  readonly #borrower: Borrower<T> | null
  readonly #onEnd: () => void

  constructor(below: Subscriber<T>, onEnd: () => void) {
    super(below)
    this.#below = below
    this.#borrower = borrows(below) ? below : null
    this.#onEnd = onEnd
  }

  nextLent(value: T): void {
    if (this.isStopped) return
    if (this.#borrower === null) this.#below.next(kept(value))
    else this.#borrower.nextLent(value)
  }

  look(span: Span<T>, to: number): number {
    return lookBelow(this.#borrower, span, to)
  }

  take(span: Span<T>, to: number): void {
    this.#borrower?.take(span, to)
  }

  protected override _complete(): void {
    this.#onEnd()
    this.unsubscribe()
  }
}
