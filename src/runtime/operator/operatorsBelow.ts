import { Subject, Subscriber } from 'rxjs'
import { type AnyNode, OperatorNode } from './operatorNode.ts'

/**
 * The next operators that the subscriber's values come to, as far as steps of RxJS and Subjects between tell whom they pass values on to.
 *
 * Whoever subscribes does so from below, so that what is above has its place before. Where a Subject is between the two, as `connect` puts one there, those below it have been subscribed before.
 */
export function operatorsBelow(subscriber: Subscriber<unknown>): ReadonlySet<AnyNode> {
  const found = new Set<AnyNode>()
  const seen = new Set<unknown>()
  const next: unknown[] = [subscriber]
  while (next.length > 0) {
    const one = next.pop()
    if (seen.has(one)) continue
    seen.add(one)
    if (one instanceof OperatorNode) found.add(one.any)
    else if (one instanceof Subject) next.push(...one.observers)
    else if (one instanceof Subscriber) next.push((one as unknown as { readonly destination: unknown }).destination)
    // What RxJS makes of a Subject that is given to `subscribe`.
    else next.push((one as { readonly partialObserver?: unknown } | null | undefined)?.partialObserver)
  }
  return found
}
