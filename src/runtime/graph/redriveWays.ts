import type { Observable } from 'rxjs'
import type { OperatorSpec } from '../operator/operator.ts'
import { NamedObservable } from './namedObservable.ts'
import type { AnyObservable, SubscriptionTrace } from './subscriptionTrace.ts'

/** Where values come from: the ends of a graph by the names that letters have for them. */
export type GraphEnds = ReadonlyMap<string, Observable<unknown>>

/**
 * Which operators a record passes that is redriven: those above the one that had set it aside, as far as they let such a record through. What stands beside has had the record when it came first.
 *
 * Holds names alone, for all tasks of a pipeline.
 */
export class RedriveWays {
  /** The operators right above each operator and each outlet. */
  readonly #sources: ReadonlyMap<string, readonly string[]>
  /** Those that a redriven record may pass. */
  readonly #passing: ReadonlySet<string>
  readonly #above = new Map<string, ReadonlySet<string>>()

  constructor({ readers }: SubscriptionTrace, specs: readonly OperatorSpec[], ends: GraphEnds) {
    const sources = new Map<AnyObservable, AnyObservable[]>()
    for (const [source, by] of readers) {
      for (const reader of by) sources.set(reader, [...(sources.get(reader) ?? []), source])
    }
    const operators = [...readers.keys()].filter(isOperator)
    this.#sources = new Map([
      ...operators.map((one) => [one.node.name, operatorsRightAbove(sources.get(one) ?? [], sources)] as const),
      ...[...ends].map(([name, values]) => [name, operatorsRightAbove([values], sources)] as const),
    ])
    this.#passing = new Set(specs.filter(({ passesRedriven }) => passesRedriven === true).map(({ name }) => name))
  }

  /** Whether the operator lets through what is redriven for the target, and the target is below it. */
  leads(operator: string, target: string): boolean {
    const known = this.#above.get(target)
    if (known !== undefined) return known.has(operator)
    const above = new Set<string>()
    const queue = [target]
    for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
      for (const source of this.#sources.get(one) ?? []) {
        if (above.has(source) || !this.#passing.has(source)) continue
        above.add(source)
        queue.push(source)
      }
    }
    // A record may name anything.
    if (this.#sources.has(target)) this.#above.set(target, above)
    return above.has(operator)
  }
}

/** The operators from which values come past nothing that is one. */
function operatorsRightAbove(
  starts: readonly AnyObservable[],
  sources: ReadonlyMap<AnyObservable, readonly AnyObservable[]>,
): readonly string[] {
  const found = new Set<string>()
  const seen = new Set<AnyObservable>()
  const queue = [...starts]
  for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
    if (seen.has(one)) continue
    seen.add(one)
    if (!isOperator(one)) queue.push(...(sources.get(one) ?? []))
    // No values come from a table.
    else if (one.node.isTable !== true) found.add(one.node.name)
  }
  return [...found]
}

function isOperator(observable: AnyObservable): observable is NamedObservable<unknown> {
  return observable instanceof NamedObservable && observable.node.kind === 'operator'
}
