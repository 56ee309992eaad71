import type { Subscriber } from 'rxjs'
import { contracted } from '../graph/contractedGraph.ts'
import { NamedObservable, type ObservableName } from '../graph/namedObservable.ts'
import { traceSubscriptions } from '../graph/subscriptionTrace.ts'
import type { ResolvedInput } from '../pipeline/input.ts'
import type { MessagesOutlet, Outlet, RowsOutlet } from '../pipeline/outlet.ts'
import { callBuild, inputsOf, type Pipeline } from '../pipeline/pipeline.ts'
import { StreamTask } from './streamTask.ts'
import { inputNode } from './taskInputs.ts'

/** An input, an operator or an outlet of a pipeline. */
export interface GraphNode {
  /** The kind and the name, such as `operator:dedupe`; unique in the graph, because an outlet may have the name of an operator. */
  readonly id: string
  readonly kind: 'input' | 'operator' | 'outlet'
  /** As it stands in the pipeline. */
  readonly name: string
  /** True for an operator from which no values come: those below look rows up in it. */
  readonly isTable?: boolean
  /** False for an input that is a table of newest rows: it says nothing of how far time is. */
  readonly movesTime?: boolean
  /** True for an outlet that keeps raw records in the archive. */
  readonly isArchive?: boolean
  /** Where the rows of an outlet go. */
  readonly table?: string
  /** What an input reads, or where the messages of an outlet go. */
  readonly topic?: string
  /** Where the messages of an outlet go that is no topic. */
  readonly destination?: string
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
 * @throws what a start throws on a pipeline that is not well formed, or whose `build` throws
 */
export function graphOf(pipeline: Pipeline): PipelineGraph {
  const ends: Subscriber<unknown>[] = []
  const named: Pipeline = {
    ...pipeline,
    build: (streams) => {
      const outlets = callBuild(pipeline, streams)
      return Object.fromEntries(
        Object.entries(outlets).map(([name, outlet]) => [name, namedOutlet(name, outlet, ends)]),
      )
    },
  }
  const inputs = inputsOf(pipeline)
  try {
    let archives: ReadonlyMap<string, number> = new Map()
    const trace = traceSubscriptions(() => {
      const task = new StreamTask(
        named,
        null,
        inputs.map(() => 0),
      )
      archives = task.archives
    })
    const { nodes, edges } = contracted(trace)
    const archived = [...archives].map(([name, input]) => ({ name, input: inputs[input]! }))
    return {
      pipeline: pipeline.name,
      nodes: [
        ...nodes,
        ...unread(nodes, archived),
        ...archived.map(({ name }) => ({ id: `outlet:${name}`, kind: 'outlet', name, isArchive: true }) as const),
      ],
      edges: [
        ...edges,
        ...archived.map(({ name, input }) => ({ from: idOf(input), to: `outlet:${name}`, plainSteps: 0 })),
      ],
    }
  } finally {
    // Sources of the user's own that build() has started end with it.
    for (const end of ends) end.unsubscribe()
  }
}

/** Inputs that are archived and nothing else. */
function unread(
  nodes: readonly GraphNode[],
  archived: readonly { readonly input: ResolvedInput }[],
): readonly GraphNode[] {
  const inputs = new Set(archived.map(({ input }) => input))
  return [...inputs]
    .filter((input) => !nodes.some(({ id }) => id === idOf(input)))
    .map((input) => ({ id: idOf(input), ...inputNode(input) }))
}

function idOf({ name }: ResolvedInput): string {
  return `input:${name}`
}

function namedOutlet(name: string, outlet: Outlet<unknown>, ends: Subscriber<unknown>[]): Outlet<unknown> {
  if (outlet.kind === 'archive') return outlet
  const node: ObservableName = { kind: 'outlet', name, ...placeOf(outlet) }
  const values = new NamedObservable<unknown>(node, (subscriber) => {
    ends.push(subscriber)
    return outlet.values.subscribe(subscriber)
  })
  return { ...outlet, values }
}

function placeOf(
  outlet: RowsOutlet<unknown> | MessagesOutlet<unknown>,
): Pick<ObservableName, 'table' | 'topic' | 'destination'> {
  if (outlet.kind === 'rows') return { table: outlet.table.name }
  return outlet.to.kind === 'topic' ? { topic: outlet.to.topic } : { destination: outlet.to.name }
}
