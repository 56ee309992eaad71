import { NamedObservable } from './namedObservable.ts'
import type { AnyObservable, SubscriptionTrace } from './subscriptionTrace.ts'

/** The names of the inputs whose values can come to the operator: not those of a table, in which rows are only looked up. */
export function inputsAbove(trace: SubscriptionTrace, operator: string): ReadonlySet<string> {
  return inputsAboveStreams(
    trace,
    [...trace.readers.keys()].filter((one) => isNamed(one, 'operator', operator)),
  )
}

/** The names of the inputs whose values can come in one of the streams. */
export function inputsAboveStreams(
  { readers }: SubscriptionTrace,
  streams: readonly AnyObservable[],
): ReadonlySet<string> {
  const found = new Set<string>()
  const seen = new Set<AnyObservable>()
  const queue = [...streams]
  for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
    if (seen.has(one)) continue
    seen.add(one)
    if (one instanceof NamedObservable && one.node.kind === 'input') found.add(one.node.name)
    for (const [source, by] of readers) if (by.has(one) && !isTable(source)) queue.push(source)
  }
  return found
}

function isNamed(observable: AnyObservable, kind: string, name: string): boolean {
  return observable instanceof NamedObservable && observable.node.kind === kind && observable.node.name === name
}

function isTable(observable: AnyObservable): boolean {
  return observable instanceof NamedObservable && observable.node.isTable === true
}
