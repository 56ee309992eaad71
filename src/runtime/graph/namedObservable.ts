import { Observable, type Subscriber, type TeardownLogic } from 'rxjs'

/** What an observable is in the graph of a pipeline. */
export interface ObservableName {
  readonly kind: 'input' | 'operator' | 'outlet'
  readonly name: string
  /** True for an operator that emits nothing: whoever is subscribed to it reads what it keeps. */
  readonly isTable?: boolean
  /** False for an input that is a table of newest rows: it says nothing of how far time is. */
  readonly movesTime?: boolean
  /** Where an outlet's rows go. */
  readonly table?: string
  /** What an input reads, or where an outlet's messages go. */
  readonly topic?: string
  /** Where an outlet's messages go that is no topic. */
  readonly destination?: string
}

/** What windows ask of the fold below them. */
export interface Needs {
  /** They share values or become one: it merges what it keeps. */
  readonly needsMerge: boolean
  /** Their results may be taken back: it says how. */
  readonly needsWithdraw: boolean
}

/** The stream with a name that this one is made of, looking through steps of RxJS that have one source, such as `filter`; null where a step has several, or an Observable of one's own stands between. */
export function namedAbove(stream: Observable<unknown>): NamedObservable<unknown> | null {
  for (let at: Observable<unknown> | undefined = stream; at !== undefined; at = at.source) {
    if (at instanceof NamedObservable) return at
  }
  return null
}

/** An observable that says what it is, so that the graph of a pipeline has a node for it. A step of RxJS on top of it is nameless again. */
export class NamedObservable<T> extends Observable<T> {
  readonly node: ObservableName
  readonly needs: Needs

  constructor(
    node: ObservableName,
    subscribe: (subscriber: Subscriber<T>) => TeardownLogic,
    needs: Needs = { needsMerge: false, needsWithdraw: false },
  ) {
    super(subscribe as (this: Observable<T>, subscriber: Subscriber<T>) => TeardownLogic)
    this.node = node
    this.needs = needs
  }
}
