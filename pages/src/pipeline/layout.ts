import { Graph, layout } from '@dagrejs/dagre'
import type { GraphNode, PipelineGraph } from '../../../src/runtime/task/graph.ts'
import { leastScale, nodeHeight, nodeWidth } from './nodeSize.ts'

const pad = 5
const margin = 18
/** A drawing from left to right may be so much wider than the page, and scrolls, before one from top to bottom is taken. */
const mostPages = 1.4

/** Parts that values go through one after the other and nowhere else, with the outlets that only read them: drawn as one box. */
export interface Chain {
  readonly id: string
  readonly nodes: readonly GraphNode[]
}

interface Point {
  readonly x: number
  readonly y: number
}

export interface Laid {
  /** What the drawing takes up: ways may lead around the outside of all boxes. */
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  /** Upper left corners. */
  readonly nodes: ReadonlyMap<string, Point>
  readonly chains: readonly (Point & { readonly id: string; readonly width: number; readonly height: number })[]
  readonly edges: readonly {
    readonly from: string
    readonly to: string
    readonly plainSteps: number
    readonly points: readonly Point[]
  }[]
}

/** Where the parts stand: along the way of the values, from left to right where that is not much wider than there is room, else from top to bottom. */
export function laid(graph: PipelineGraph, width: number): Laid {
  const across = laidOut(graph, 'LR')
  if (across.width * leastScale <= width * mostPages) return across
  const down = laidOut(graph, 'TB')
  return down.width <= Math.max(width, across.width * 0.75) ? down : across
}

function laidOut({ nodes, edges }: PipelineGraph, direction: 'LR' | 'TB'): Laid {
  const chains = chainsOf({ nodes, edges })
  const chainOf = new Map(chains.flatMap((chain) => chain.nodes.map(({ id }) => [id, chain])))
  const graph = new Graph()
  graph.setGraph({
    rankdir: direction,
    nodesep: direction === 'TB' ? 26 : 16,
    ranksep: direction === 'TB' ? 34 : 24,
    marginx: 6,
    marginy: 6,
  })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { id, nodes: parts } of chains) {
    const isOne = parts.length === 1
    graph.setNode(id, {
      width: nodeWidth + (isOne ? 0 : 2 * pad),
      height: parts.length * nodeHeight + (isOne ? 0 : 2 * pad),
    })
  }
  const outside = edges.filter(({ from, to }) => chainOf.get(from) !== chainOf.get(to))
  for (const { from, to } of outside) graph.setEdge(chainOf.get(from)?.id ?? from, chainOf.get(to)?.id ?? to)
  layout(graph)
  const places = new Map<string, Point>()
  const boxes: (Point & { readonly id: string; readonly width: number; readonly height: number })[] = []
  for (const { id, nodes: parts } of chains) {
    const box = graph.node(id) as Point & { readonly width: number; readonly height: number }
    const [left, top] = [box.x - box.width / 2, box.y - box.height / 2]
    const inset = parts.length === 1 ? 0 : pad
    for (const [i, part] of parts.entries()) places.set(part.id, { x: left + inset, y: top + inset + i * nodeHeight })
    if (parts.length > 1) boxes.push({ id, x: left, y: top, width: box.width, height: box.height })
  }
  const ways = outside.map(({ from, to, plainSteps }) => ({
    from,
    to,
    plainSteps,
    points: (
      graph.edge(chainOf.get(from)?.id ?? from, chainOf.get(to)?.id ?? to) as { readonly points: readonly Point[] }
    ).points,
  }))
  const corners = [...places.values()].flatMap(({ x, y }) => [
    { x, y },
    { x: x + nodeWidth, y: y + nodeHeight },
  ])
  const all = [...corners, ...ways.flatMap(({ points }) => points)]
  const left = Math.min(...all.map(({ x }) => x)) - margin
  const top = Math.min(...all.map(({ y }) => y)) - margin
  return {
    left,
    top,
    width: Math.max(...all.map(({ x }) => x)) + margin - left,
    height: Math.max(...all.map(({ y }) => y)) + margin - top,
    nodes: places,
    chains: boxes,
    edges: ways,
  }
}

function chainsOf({ nodes, edges }: Pick<PipelineGraph, 'nodes' | 'edges'>): readonly Chain[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const above = (id: string) => edges.filter(({ to }) => to === id)
  const below = (id: string) => edges.flatMap(({ from, to }) => (from === id ? (byId.get(to) ?? []) : []))
  const isTail = (node: GraphNode) => node.kind === 'outlet' && above(node.id).length === 1
  /** The next operator of the chain behind a part; null where it ends. */
  const next = (id: string): GraphNode | null => {
    const [only, ...others] = below(id).filter((node) => !isTail(node))
    if (only === undefined || others.length > 0 || above(only.id).length > 1) return null
    return isInChain(byId.get(id)) && isInChain(only) && below(id).length === 1 ? only : null
  }
  const followers = new Set(nodes.flatMap(({ id }) => next(id)?.id ?? []))
  return nodes
    .filter((node) => !followers.has(node.id) && !isTail(node))
    .map((first) => {
      const parts = [first]
      for (let part = next(first.id); part !== null; part = next(part.id)) parts.push(part)
      return { id: first.id, nodes: [...parts, ...below((parts.at(-1) as GraphNode).id).filter(isTail)] }
    })
}

function isInChain(node: GraphNode | undefined): boolean {
  return node?.kind === 'operator' && node.isTable !== true
}
