import { Observable, Subscriber } from 'rxjs'
import { type Borrower, borrows, kept } from './lent.ts'
import { lookBelow, type Span } from './span.ts'

interface Reader<T> {
  readonly subscriber: Subscriber<T>
  /** The same, where it takes values that are lent. */
  readonly borrower: Borrower<T> | null
}

/** One subscription to `source` for all who read the stream, in their order, as `share` has it; a value that is lent is lent to each, and all who keep it have one of its own in common. */
export function shared<T>(source: Observable<T>): Observable<T> {
  let connection: Connection<T> | null = null
  return new Observable((subscriber) => {
    const connected = connection ?? new Connection<T>()
    connected.stream.subscribe(subscriber)
    if (connection === null) {
      connection = connected
      source.subscribe(connected)
    }
    return () => {
      if (connected.hasReaders) return
      if (connection === connected) connection = null
      connected.unsubscribe()
    }
  })
}

class Connection<T> extends Subscriber<T> implements Borrower<T> {
  /** Replaced and never changed, so a value goes to those who were there when it came. */
  #readers: readonly Reader<T>[] = []
  readonly stream = new Observable<T>((subscriber) => {
    const reader = { subscriber, borrower: borrows(subscriber) ? subscriber : null }
    this.#readers = [...this.#readers, reader]
    return () => {
      this.#readers = this.#readers.filter((one) => one !== reader)
    }
  })

  get hasReaders(): boolean {
    return this.#readers.length > 0
  }

  nextLent(value: T): void {
    if (this.isStopped) return
    let own: T | null = null
    for (const { subscriber, borrower } of this.#readers) {
      if (borrower !== null) borrower.nextLent(value)
      else {
        own ??= kept(value)
        subscriber.next(own)
      }
    }
  }

  look(span: Span<T>, to: number): number {
    let quiet = to
    for (const { borrower } of this.#readers) quiet = lookBelow(borrower, span, quiet)
    return quiet
  }

  take(span: Span<T>, to: number): void {
    for (const { borrower } of this.#readers) borrower?.take(span, to)
  }

  protected override _next(value: T): void {
    for (const { subscriber } of this.#readers) subscriber.next(value)
  }

  protected override _error(error: unknown): void {
    for (const { subscriber } of this.#readers) subscriber.error(error)
    this.unsubscribe()
  }

  protected override _complete(): void {
    for (const { subscriber } of this.#readers) subscriber.complete()
    this.unsubscribe()
  }
}
