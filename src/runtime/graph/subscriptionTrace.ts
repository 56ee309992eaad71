import { Observable, Subject, Subscriber } from 'rxjs'

/** An observable, whatever its values. */
export type AnyObservable = Observable<unknown>

/** Which observable was subscribed to by which, while something was built. */
export interface SubscriptionTrace {
  /** Those that subscribed to each, in the order of the first subscription. */
  readonly readers: ReadonlyMap<AnyObservable, ReadonlySet<AnyObservable>>
  /** Those that do nothing to a value: Subjects, and what hands its own subscriber to another observable, as `share` and `defer` do. */
  readonly passages: ReadonlySet<AnyObservable>
}

/**
 * Runs `act` and gives the subscriptions that it made in one synchronous span, wherever they were made.
 *
 * Nothing is left behind: `Observable.prototype.subscribe` is as it was once `act` has ended or thrown.
 */
export function traceSubscriptions(act: () => void): SubscriptionTrace {
  const tracer = new Tracer()
  const { prototype } = Observable
  const { subscribe } = prototype as { subscribe: (...args: unknown[]) => unknown }
  const traced = function (this: AnyObservable, ...args: unknown[]): unknown {
    return tracer.during(this, args[0], () => subscribe.apply(this, args))
  }
  prototype.subscribe = traced as typeof prototype.subscribe
  try {
    act()
  } finally {
    prototype.subscribe = subscribe as typeof prototype.subscribe
  }
  return tracer
}

class Tracer implements SubscriptionTrace {
  readonly readers = new Map<AnyObservable, Set<AnyObservable>>()
  readonly passages = new Set<AnyObservable>()
  /** Those whose subscription is under way, the innermost last. */
  readonly #stack: AnyObservable[] = []
  /** Whose subscriber each is. One that is handed on belongs to who has it at the moment. */
  readonly #owners = new Map<unknown, AnyObservable>()

  during(observable: AnyObservable, observer: unknown, subscribe: () => unknown): unknown {
    const handedOnBy = this.#owners.get(observer)
    if (handedOnBy !== undefined) this.passages.add(handedOnBy)
    // A step on top of a Subject is a Subject as well, with an operator.
    if (observable instanceof Subject && observable.operator === undefined) this.passages.add(observable)
    this.#note(observable, handedOnBy ?? this.#readerBehind(observer))
    // Callbacks, or none at all, tell nothing: RxJS makes a subscriber of them that nobody has seen.
    if (observer instanceof Subscriber) this.#owners.set(observer, observable)
    this.#stack.push(observable)
    try {
      return subscribe()
    } finally {
      this.#stack.pop()
      if (handedOnBy === undefined) this.#owners.delete(observer)
      else this.#owners.set(observer, handedOnBy)
    }
  }

  #note(observable: AnyObservable, reader: AnyObservable | undefined): void {
    const readers = this.#readersOf(observable)
    if (reader === undefined) return
    readers.add(reader)
    this.#readersOf(reader)
  }

  #readersOf(observable: AnyObservable): Set<AnyObservable> {
    const readers = this.readers.get(observable) ?? new Set()
    this.readers.set(observable, readers)
    return readers
  }

  /**
   * A step of RxJS puts a subscriber in front of its own, which tells whose it is even where `merge` subscribes to its branches on the stack of the list of them.
   * The subscriber that `share` connects with tells nothing, so there it is who subscribes at the moment. A Subject is a reader by itself.
   */
  #readerBehind(observer: unknown): AnyObservable | undefined {
    if (observer instanceof Subject) return observer
    const { destination } = (observer instanceof Subscriber ? observer : {}) as { destination?: unknown }
    if (destination instanceof Subject) return destination
    return this.#owners.get(destination) ?? this.#stack.at(-1)
  }
}
