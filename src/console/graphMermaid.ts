import type { GraphNode, PipelineGraph } from '../runtime/graph.ts'

/** The graph as a flowchart of Mermaid, which Markdown of GitHub and others shows as a picture. */
export function graphMermaid({ nodes, edges }: PipelineGraph): readonly string[] {
  // Ids of ours hold what Mermaid would read as syntax, and `end` is a word of its language.
  const ids = new Map(nodes.map(({ id }, i) => [id, `n${i}`]))
  return [
    'flowchart LR',
    ...nodes.map((node) => `  ${ids.get(node.id)}${shapeOf(node)}`),
    ...edges.map(({ from, to, plainSteps }) => `  ${ids.get(from)} -->${stepsText(plainSteps)} ${ids.get(to)}`),
  ]
}

function shapeOf({ kind, name, table, isTable }: GraphNode): string {
  if (kind === 'input') return `(["${escaped(name)}"])`
  if (kind === 'operator') return isTable === true ? `[["${escaped(name)}"]]` : `["${escaped(name)}"]`
  const below = table === undefined || table === name ? '' : `<br>${escaped(table)}`
  return `[("${escaped(name)}${below}")]`
}

function stepsText(plainSteps: number): string {
  if (plainSteps === 0) return ''
  return `|"+${plainSteps} plain step${plainSteps === 1 ? '' : 's'}"|`
}

/** Whatever could be syntax of Mermaid, of Markdown (a list, say) or of HTML becomes the number of its character. */
function escaped(name: string): string {
  return name.replace(/^-|[^\p{L}\p{N} _:/-]/gu, (character) => `#${character.codePointAt(0)};`)
}
