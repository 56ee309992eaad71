import { Subject, Subscriber } from 'rxjs'
import { type AnyNode, OperatorNode } from './operatorNode.ts'

/**
 * The operators so that each stands below all that is above it, and otherwise as they are.
 *
 * What an operator subscribes to is subscribed to within its own subscription, and so has its place before. Only where a Subject is between two, as `connect` puts one there, the one below it may have been the first.
 * A loop, which only a Subject can close, stays cut open where it is.
 */
export function inGraphOrder(nodes: readonly AnyNode[]): readonly AnyNode[] {
  const places = new Map(nodes.map((node, place) => [node, place]))
  const above = new Map(nodes.map((node) => [node, node.sources.filter((source) => places.has(source))]))
  const backwards: (readonly [from: AnyNode, to: AnyNode])[] = []
  for (const [from, place] of places) {
    for (const to of operatorsBelow(from)) {
      const placeBelow = places.get(to)
      if (placeBelow === undefined) continue
      if (placeBelow > place) above.get(to)?.push(from)
      else backwards.push([from, to])
    }
  }
  for (const [from, to] of backwards) if (!behind(above, [from]).includes(to)) above.get(to)?.push(from)
  return behind(above, nodes)
}

/** True where values of the operator come to one that was there before. */
export function isAboveEarlier(node: AnyNode): boolean {
  for (const { host, order } of operatorsBelow(node)) if (host === node.host && order < node.order) return true
  return false
}

/** These, each behind all that is above it, and that itself. */
function behind(above: ReadonlyMap<AnyNode, readonly AnyNode[]>, nodes: readonly AnyNode[]): readonly AnyNode[] {
  const seen = new Set<AnyNode>()
  const sorted: AnyNode[] = []
  const visit = (node: AnyNode) => {
    if (seen.has(node)) return
    seen.add(node)
    above.get(node)?.forEach(visit)
    sorted.push(node)
  }
  nodes.forEach(visit)
  return sorted
}

/** The next ones that the values of an operator come to, as far as steps of RxJS and Subjects between tell whom they pass values on to. */
export function operatorsBelow(node: AnyNode): ReadonlySet<AnyNode> {
  const found = new Set<AnyNode>()
  const seen = new Set<unknown>()
  const next: unknown[] = [belowOf(node)]
  while (next.length > 0) {
    const one = next.pop()
    if (seen.has(one)) continue
    seen.add(one)
    if (one instanceof OperatorNode) found.add(one.any)
    else if (one instanceof Subject) next.push(...one.observers)
    else if (one instanceof Subscriber) next.push(belowOf(one))
    // What RxJS makes of a Subject that is given to `subscribe`.
    else next.push((one as { readonly partialObserver?: unknown } | null | undefined)?.partialObserver)
  }
  return found
}

function belowOf(subscriber: Subscriber<never>): unknown {
  return (subscriber as unknown as { readonly destination: unknown }).destination
}
