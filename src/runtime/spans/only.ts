import { Observable, type OperatorFunction, Subscriber } from 'rxjs'
import { type Borrower, borrows, kept } from './lent.ts'
import { type Lending, lookBelow, Span } from './span.ts'
import { SpanFlags } from './spanColumns.ts'

/** The values of one kind, as `filter` has them; one that is lent is passed on as such. */
export function only<T, S extends T>(isWanted: (value: T) => value is S): OperatorFunction<T, S> {
  return (source) => new Observable((subscriber) => source.subscribe(new Only(subscriber, isWanted)))
}

class Only<T, S extends T> extends Subscriber<T> implements Borrower<T> {
  readonly #isWanted: (value: T) => value is S
  readonly #below: Subscriber<S>
  readonly #borrower: Borrower<S> | null
  readonly #flags: SpanFlags<T>
  readonly #wanted = new Span<S>()
  /** What is taken of the span that was looked at last; null for nothing. */
  #taken: Span<S> | null = null
  /** The last look, and whether values came here in it. */
  #lookedIn = 0
  #hasCome = false

  constructor(below: Subscriber<S>, isWanted: (value: T) => value is S) {
    super(below)
    this.#isWanted = isWanted
    this.#flags = new SpanFlags(isWanted)
    this.#below = below
    this.#borrower = borrows(below) ? below : null
  }

  nextLent(value: T): void {
    if (this.isStopped || !this.#wants(value)) return
    if (this.#borrower === null) this.#below.next(kept(value))
    else this.#borrower.nextLent(value)
  }

  look(span: Span<T>, to: number): number {
    if (span.look !== this.#lookedIn) {
      this.#lookedIn = span.look
      this.#hasCome = false
      this.#taken = null
    }
    const first = span.recordBehind(0, to)
    // Values that come here on two ways come in turns, and not first all of one way.
    if (first === to || this.#hasCome) return first
    this.#hasCome = true
    const flags = this.#flags
    const count = flags.read(span, span.countBefore(to))
    if (flags.all === false) return to
    if (flags.all === true) return this.#lookBelow(span as unknown as Span<S>, to)
    const wanted = this.#wanted
    wanted.begin(span)
    wanted.value = span.value as unknown as Lending<S>
    for (let i = 0; i < count; i += 1) {
      const record = span.records[i] as number
      if (flags.at(record)) wanted.records[wanted.count++] = record
    }
    return this.#lookBelow(wanted, span.recordBehind(count, to))
  }

  take(span: Span<T>, to: number): void {
    // Of two ways all that is taken is of one.
    if (this.#taken !== null && span.countBefore(to) > 0) this.#borrower?.take(this.#taken, to)
  }

  #lookBelow(wanted: Span<S>, to: number): number {
    this.#taken = wanted
    return lookBelow(this.#borrower, wanted, to)
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
