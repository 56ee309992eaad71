import type { Subscriber } from 'rxjs'
import { contracted } from './contractedGraph.ts'
import { NamedObservable, type ObservableName } from './namedObservable.ts'
import type { Outlet } from './outlet.ts'
import type { Pipeline } from './pipeline.ts'
import { StreamTask } from './streamTask.ts'
import { traceSubscriptions } from './subscriptionTrace.ts'

/** An input, an operator or an outlet of a pipeline. */
export interface GraphNode {
  /** The kind and the name, such as `operator:dedupe`; unique in the graph, because an outlet may have the name of an operator. */
  readonly id: string
  readonly kind: 'input' | 'operator' | 'outlet'
  /** As it stands in the pipeline. */
  readonly name: string
  /** Where the rows of an outlet go. */
  readonly table?: string
}

/** Values go from one node to another. */
export interface GraphEdge {
  /** The id of the node above. */
  readonly from: string
  /** The id of the node below. */
  readonly to: string
  /** How many steps of RxJS stand between the two, on all ways together. What only shares a stream (`share`) is no step. */
  readonly plainSteps: number
}

/** What a pipeline consists of, as plain data for JSON. The same code gives the same graph. */
export interface PipelineGraph {
  /** The name of the pipeline. */
  readonly pipeline: string
  /** Each below everything that it reads. */
  readonly nodes: readonly GraphNode[]
  /** In the order of the nodes: by the one above, then by the one below. */
  readonly edges: readonly GraphEdge[]
}

/**
 * The graph that the code of the pipeline builds: its inputs, operators and outlets, and who reads whom.
 *
 * Builds it as a task does at its first start, without records, state, database or clock, and lets go of it. What nobody ends in an outlet is not in the graph,
 * because it is not in a task either.
 * @throws what a start throws on a pipeline that is not well formed, and what `build` throws
 */
export function graphOf(pipeline: Pipeline): PipelineGraph {
  const input: ObservableName = { kind: 'input', name: 'records' }
  const ends: Subscriber<unknown>[] = []
  const named: Pipeline = {
    ...pipeline,
    build: (records) => {
      const outlets = pipeline.build(new NamedObservable(input, (subscriber) => records.subscribe(subscriber)))
      return Object.fromEntries(
        Object.entries(outlets).map(([name, outlet]) => [name, namedOutlet(name, outlet, ends)]),
      )
    },
  }
  try {
    const trace = traceSubscriptions(() => new StreamTask(named, null, 0))
    return { pipeline: pipeline.name, ...contracted(trace) }
  } finally {
    // Sources of the user's own that build() has started end with it.
    for (const end of ends) end.unsubscribe()
  }
}

function namedOutlet(name: string, outlet: Outlet<unknown>, ends: Subscriber<unknown>[]): Outlet<unknown> {
  const node: ObservableName = { kind: 'outlet', name, table: outlet.table.name }
  const rows = new NamedObservable<unknown>(node, (subscriber) => {
    ends.push(subscriber)
    return outlet.rows.subscribe(subscriber)
  })
  return { ...outlet, rows }
}
