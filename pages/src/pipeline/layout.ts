import { Graph, layout } from '@dagrejs/dagre'
import type { PipelineGraph } from '../../../src/runtime/graph.ts'

export const nodeWidth = 148
export const nodeHeight = 46

export interface Laid {
  readonly width: number
  readonly height: number
  readonly nodes: ReadonlyMap<string, { readonly x: number; readonly y: number }>
  readonly edges: readonly {
    readonly from: string
    readonly to: string
    readonly plainSteps: number
    readonly points: readonly { readonly x: number; readonly y: number }[]
  }[]
}

/** Where the nodes stand, from left to right along the way of the values. */
export function laid({ nodes, edges }: PipelineGraph): Laid {
  const graph = new Graph()
  graph.setGraph({ rankdir: 'LR', nodesep: 16, ranksep: 44, marginx: 8, marginy: 8 })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { id } of nodes) graph.setNode(id, { width: nodeWidth, height: nodeHeight })
  for (const { from, to } of edges) graph.setEdge(from, to)
  layout(graph)
  const size = graph.graph() as { readonly width?: number; readonly height?: number }
  return {
    width: size.width ?? 0,
    height: size.height ?? 0,
    nodes: new Map(nodes.map(({ id }) => [id, graph.node(id) as { readonly x: number; readonly y: number }])),
    edges: edges.map(({ from, to, plainSteps }) => ({
      from,
      to,
      plainSteps,
      points: (graph.edge(from, to) as { readonly points: readonly { readonly x: number; readonly y: number }[] })
        .points,
    })),
  }
}
