import type { GraphEdge, GraphNode, PipelineGraph } from '../runtime/task/graph.ts'

const columns = 100

/** A place in the drawing: what stands there, and what is drawn below it. */
interface Tree {
  readonly label: string
  readonly branches: readonly Tree[]
}

/**
 * The graph as lines of text, inputs first. What several read is drawn once, and where the others come to it `↑` says that it is above.
 * A branch stands beside what it comes from where all of it fits into 100 columns, and below it elsewhere.
 */
export function graphText(graph: PipelineGraph): readonly string[] {
  const trees = treesOf(graph)
  const drawing = trees.flatMap((tree) => layout(tree, columns))
  const text = drawing.join('\n')
  const legend = [
    graph.edges.some(({ plainSteps }) => plainSteps > 0) ? '(+n): n plain steps of RxJS' : null,
    text.includes('▣') ? '▣: an outlet, and where it goes (its table, where that has another name)' : null,
    text.includes('▤') ? '▤: rows that those below look up' : null,
    text.includes(' ↑') ? '↑: drawn above' : null,
  ].filter((note) => note !== null)
  return [`pipeline ${graph.pipeline}`, '', ...drawing, '', legend.join('   ')]
}

function treesOf({ nodes, edges }: PipelineGraph): readonly Tree[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const drawn = new Set<string>()

  function below({ to, plainSteps }: GraphEdge): readonly Tree[] {
    const node = byId.get(to)
    if (node === undefined) return []
    const tree = drawn.has(to) ? { label: `${nameOf(node)} ↑`, branches: [] } : from(node)
    return [plainSteps === 0 ? tree : { label: `(+${plainSteps})`, branches: [tree] }]
  }

  function from(node: GraphNode): Tree {
    drawn.add(node.id)
    return { label: labelOf(node), branches: edges.filter((edge) => edge.from === node.id).flatMap(below) }
  }

  // Streams before the tables that they are joined to, and at last what a loop keeps from having a beginning.
  const inputs = nodes.filter(({ kind }) => kind === 'input')
  const streams = inputs.filter(({ movesTime }) => movesTime !== false)
  return [...streams, ...inputs, ...nodes].flatMap((node) => (drawn.has(node.id) ? [] : [from(node)]))
}

function labelOf(node: GraphNode): string {
  const place = placeOf(node)
  return place === null ? nameOf(node) : `${nameOf(node)} (${place})`
}

/** What an input reads, or where an outlet goes; null where the name says it. */
function placeOf({ kind, name, table, topic, destination, movesTime, isArchive }: GraphNode): string | null {
  if (kind === 'input') {
    const parts = [
      ...(topic === undefined ? [] : [`topic ${plain(topic)}`]),
      ...(movesTime === false ? ['a table'] : []),
    ]
    return parts.length === 0 ? null : parts.join(', ')
  }
  if (isArchive === true) return 'archive'
  if (topic !== undefined) return `topic ${plain(topic)}`
  if (destination !== undefined) return `to ${plain(destination)}`
  return table === undefined || table === name ? null : plain(table)
}

function nameOf({ kind, name, isTable }: GraphNode): string {
  if (kind === 'outlet') return `▣ ${plain(name)}`
  return isTable === true ? `▤ ${plain(name)}` : plain(name)
}

/** A name may hold anything; the drawing must not break at it. */
function plain(name: string): string {
  return name.replace(/\p{C}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

function layout(tree: Tree, width: number): readonly string[] {
  if (inlineWidth(tree) <= width) return inline(tree)
  let line = tree.label
  let { branches } = tree
  for (let [only, ...others] = branches; only !== undefined && others.length === 0; [only, ...others] = branches) {
    if (line.length + ' → '.length + only.label.length > width) break
    line += ` → ${only.label}`
    branches = only.branches
  }
  const hung = branches.map((branch) => layout(branch, width - '└→ '.length))
  return [line, ...hung.flatMap((lines, i) => joined(lines, i === hung.length - 1 ? '└→ ' : '├→ '))]
}

function inlineWidth({ label, branches }: Tree): number {
  if (branches.length === 0) return label.length
  const arrow = branches.length === 1 ? ' → ' : ' ┬→ '
  return label.length + arrow.length + Math.max(...branches.map(inlineWidth))
}

function inline({ label, branches }: Tree): readonly string[] {
  const drawn = branches.map(inline)
  const [first, ...others] = drawn
  if (first === undefined) return [label]
  if (others.length === 0) return joined(first, `${label} → `)
  const space = ' '.repeat(label.length + 1)
  return [
    ...joined(first, `${label} ┬→ `, `${space}│  `),
    ...others.flatMap((lines, i) => joined(lines, `${space}${i === others.length - 1 ? '└→ ' : '├→ '}`)),
  ]
}

/** Puts `head` before the first line, and before the others what goes on under it. */
function joined(lines: readonly string[], head: string, under = underOf(head)): readonly string[] {
  return lines.map((line, i) => `${i === 0 ? head : under}${line}`)
}

function underOf(head: string): string {
  return head.endsWith('├→ ') ? `${head.slice(0, -3)}│  ` : ' '.repeat(head.length)
}
