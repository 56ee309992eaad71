import type { GraphEdge, GraphNode, PipelineGraph } from '../task/graph.ts'
import { NamedObservable } from './namedObservable.ts'
import type { AnyObservable, SubscriptionTrace } from './subscriptionTrace.ts'

/** The nodes and edges of what has a name; what has none is counted between them. */
export function contracted({ readers, passages }: SubscriptionTrace): Pick<PipelineGraph, 'nodes' | 'edges'> {
  const observables = topological(readers)
  const named = observables.filter((observable) => observable instanceof NamedObservable)
  const sources = reversed(readers)
  const above = new Map(named.map((observable) => [observable, namelessFrom(observable, sources)]))
  const edges = named.flatMap((from) => {
    const below = namelessFrom(from, readers)
    return named.flatMap((to): readonly GraphEdge[] => {
      const between = [...below].filter((step) => above.get(to)?.has(step))
      if (between.length === 0 && readers.get(from)?.has(to) !== true) return []
      // No values come from a table, so there is nothing that a step could do to them.
      const steps = from.node.isTable === true ? [] : between.filter((step) => !passages.has(step))
      return [{ from: idOf(from), to: idOf(to), plainSteps: steps.length }]
    })
  })
  return { nodes: named.map(nodeOf), edges }
}

type Links = ReadonlyMap<AnyObservable, ReadonlySet<AnyObservable>>

function nodeOf(observable: NamedObservable<unknown>): GraphNode {
  return { id: idOf(observable), ...observable.node }
}

function idOf({ node }: NamedObservable<unknown>): string {
  return `${node.kind}:${node.name}`
}

function reversed(links: Links): Links {
  const back = new Map<AnyObservable, Set<AnyObservable>>([...links.keys()].map((one) => [one, new Set()]))
  for (const [from, tos] of links) for (const to of tos) back.get(to)?.add(from)
  return back
}

/** What has no name and is reached from `start` past nothing that has one. */
function namelessFrom(start: AnyObservable, links: Links): ReadonlySet<AnyObservable> {
  const found = new Set<AnyObservable>()
  const queue = [start]
  for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
    for (const next of links.get(one) ?? []) {
      if (next instanceof NamedObservable || found.has(next)) continue
      found.add(next)
      queue.push(next)
    }
  }
  return found
}

/** Each after all that it reads, and otherwise in the order of subscription, which is that of the outlets. A loop, which only a Subject can close, is cut open at its first. */
function topological(readers: Links): readonly AnyObservable[] {
  const waiting = new Map([...reversed(readers)].map(([one, sources]) => [one, sources.size]))
  const sorted: AnyObservable[] = []
  while (waiting.size > 0) {
    const [next] = [...waiting].reduce((least, one) => (one[1] === 0 && least[1] !== 0 ? one : least))
    waiting.delete(next)
    sorted.push(next)
    for (const reader of readers.get(next) ?? []) {
      const left = waiting.get(reader)
      if (left !== undefined) waiting.set(reader, left - 1)
    }
  }
  return sorted
}
