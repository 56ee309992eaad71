import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { GraphNode, PipelineGraph } from '../../../src/runtime/task/graph.ts'
import type { PipelineView } from '../../../src/web/pipelineView.ts'
import { plain } from '../shell/format.ts'
import { chosenNode } from './chosenNode.ts'
import type { Laid } from './layout.ts'
import { nodeText } from './nodeFacts.ts'
import { fitted, leastScale, nodeHeight, nodeWidth } from './nodeSize.ts'

/** A shape beside the colour. */
const marks: Readonly<Record<string, string>> = { bad: '✕ ', warn: '▲ ', busy: '◐ ' }
const narrow = matchMedia('(max-width: 640px)')

/** The graph that the code builds; a list where there is no room for a drawing. */
export function Graph({ view, graph }: { readonly view: PipelineView; readonly graph: PipelineGraph }) {
  const [isNarrow, setNarrow] = useState(narrow.matches)
  const [drawing, setDrawing] = useState<Laid | null>(null)
  const [room, setRoom] = useState(0)
  const box = useRef<HTMLDivElement>(null)
  const shape = JSON.stringify([graph.nodes.map(({ id }) => id), graph.edges])
  useEffect(() => {
    const look = () => setNarrow(narrow.matches)
    narrow.addEventListener('change', look)
    return () => narrow.removeEventListener('change', look)
  }, [])
  useEffect(() => {
    if (box.current === null) return
    const watcher = new ResizeObserver(([entry]) => setRoom(Math.round((entry?.contentRect.width ?? 0) / 50) * 50))
    watcher.observe(box.current)
    return () => watcher.disconnect()
  }, [isNarrow])
  useEffect(() => {
    if (isNarrow || room === 0) return
    let isWanted = true
    void import('./layout.ts').then(({ laid }) => {
      if (isWanted) setDrawing(laid(graph, room))
    })
    return () => {
      isWanted = false
    }
  }, [shape, isNarrow, room])
  if (isNarrow) return <GraphList view={view} graph={graph} />
  return (
    <div ref={box}>
      {drawing === null ? <p class="dim">Drawing…</p> : <Drawing view={view} graph={graph} drawing={drawing} />}
    </div>
  )
}

function Drawing({
  view,
  graph,
  drawing,
}: {
  readonly view: PipelineView
  readonly graph: PipelineGraph
  readonly drawing: Laid
}) {
  const edges = useMemo(() => drawing.edges.map((edge) => ({ ...edge, path: pathOf(edge.points) })), [drawing])
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys.
    <section class="graph-box" tabIndex={0} aria-label={`Graph of ${view.pipeline}: ${graph.nodes.length} parts`}>
      <svg
        viewBox={`${drawing.left} ${drawing.top} ${drawing.width} ${drawing.height}`}
        width={drawing.width}
        height={drawing.height}
        class="graph"
        style={{ maxWidth: '100%', minWidth: `${drawing.width * leastScale}px` }}
      >
        <title>Graph of {view.pipeline}</title>
        <g class="edges">
          {edges.map(({ from, to, path, plainSteps, points }) => {
            const middle = points[Math.floor(points.length / 2)]
            return (
              <g
                key={`${from} ${to}`}
                class={chosenNode.value === from || chosenNode.value === to ? 'near' : undefined}
              >
                <path d={path} />
                {plainSteps > 0 && middle !== undefined ? (
                  <text x={middle.x} y={middle.y - 3}>
                    +{plainSteps}
                  </text>
                ) : null}
              </g>
            )
          })}
        </g>
        {drawing.chains.map(({ id, x, y, width, height }) => (
          <rect key={id} class="chain" x={x} y={y} width={width} height={height} rx={10} />
        ))}
        {graph.nodes.map((node) => (
          <Node key={node.id} view={view} node={node} at={drawing.nodes.get(node.id) ?? { x: 0, y: 0 }} />
        ))}
      </svg>
    </section>
  )
}

function Node({
  view,
  node,
  at,
}: {
  readonly view: PipelineView
  readonly node: GraphNode
  readonly at: { readonly x: number; readonly y: number }
}) {
  const { name, facts, level } = nodeText(view, node)
  const isChosen = chosenNode.value === node.id
  const choose = () => {
    chosenNode.value = isChosen ? null : node.id
  }
  return (
    // biome-ignore lint/a11y/useSemanticElements: a button cannot stand in a drawing.
    <g
      class={`node ${node.kind} ${level}${isChosen ? ' chosen' : ''}`}
      transform={`translate(${at.x} ${at.y})`}
      role="button"
      tabIndex={0}
      aria-pressed={isChosen}
      onClick={choose}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return
        event.preventDefault()
        choose()
      }}
    >
      <rect width={nodeWidth} height={nodeHeight - 4} y={2} rx={node.kind === 'operator' ? 6 : 14} />
      <text x={9} y={18} class="name">
        {fitted(
          `${marks[level] ?? ''}${node.kind === 'outlet' ? '▣ ' : node.isTable === true ? '▤ ' : ''}${plain(name)}`,
          600,
          13,
          nodeWidth - 16,
        )}
      </text>
      <text x={9} y={34} class="fact">
        {fitted(plain(facts), 400, 11.5, nodeWidth - 16)}
      </text>
    </g>
  )
}

function GraphList({ view, graph }: { readonly view: PipelineView; readonly graph: PipelineGraph }) {
  return (
    <ol class="graph-list">
      {graph.nodes.map((node) => {
        const { name, facts, level } = nodeText(view, node)
        const above = graph.edges
          .filter(({ to }) => to === node.id)
          .map(({ from }) => from.slice(from.indexOf(':') + 1))
        const isChosen = chosenNode.value === node.id
        return (
          <li key={node.id}>
            <button
              type="button"
              class={level}
              aria-pressed={isChosen}
              onClick={() => (chosenNode.value = isChosen ? null : node.id)}
            >
              <strong>{`${node.kind === 'outlet' ? '▣ ' : ''}${plain(name)}`}</strong> <span>{plain(facts)}</span>
              {above.length === 0 ? null : <small>reads {plain(above.join(', '))}</small>}
            </button>
          </li>
        )
      })}
    </ol>
  )
}

function pathOf(points: readonly { readonly x: number; readonly y: number }[]): string {
  const [first, ...rest] = points
  if (first === undefined) return ''
  const last = rest.at(-1) ?? first
  const middle = rest.slice(0, -1)
  const start = `M${first.x},${first.y}`
  if (middle.length === 0) return `${start} L${last.x},${last.y}`
  const curves = middle.map((point, i) => {
    const next = middle[i + 1] ?? last
    const end = i === middle.length - 1 ? last : { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 }
    return `Q${point.x},${point.y} ${end.x},${end.y}`
  })
  return `${start} ${curves.join(' ')}`
}
