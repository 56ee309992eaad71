import type { GraphEdge, GraphNode, PipelineGraph } from '../runtime/graph.ts'

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
    text.includes('▣') ? '▣: an outlet, and its table where that has another name' : null,
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

  return nodes.flatMap((node) => (drawn.has(node.id) ? [] : [from(node)]))
}

function labelOf(node: GraphNode): string {
  return node.table === undefined || node.table === node.name ? nameOf(node) : `${nameOf(node)} (${node.table})`
}

/** A name may hold anything; the drawing must not break at it. */
function nameOf({ kind, name }: GraphNode): string {
  const shown = name.replace(/\p{C}/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
  return kind === 'outlet' ? `▣ ${shown}` : shown
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
