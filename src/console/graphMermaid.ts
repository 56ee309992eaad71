import type { GraphNode, PipelineGraph } from '../runtime/task/graph.ts'

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

/** Topics are round at their ends, tables of the database and the archive are cylinders, other places are slanted. */
function shapeOf({ kind, name, isTable, table, topic, destination, movesTime, isArchive }: GraphNode): string {
  const text = (place: string | undefined) => `"${escaped(name)}${place === undefined ? '' : `<br>${escaped(place)}`}"`
  const ofTopic = topic === undefined ? undefined : `topic ${topic}`
  if (kind === 'operator') return isTable === true ? `[[${text(undefined)}]]` : `[${text(undefined)}]`
  if (kind === 'input') return `([${text(movesTime === false ? `${ofTopic ?? 'records'}, a table` : ofTopic)}])`
  if (topic !== undefined) return `([${text(ofTopic)}])`
  if (destination !== undefined) return `[/${text(`to ${destination}`)}/]`
  if (isArchive === true) return `[(${text('archive')})]`
  return `[(${text(table === name ? undefined : table)})]`
}

function stepsText(plainSteps: number): string {
  if (plainSteps === 0) return ''
  return `|"+${plainSteps} plain step${plainSteps === 1 ? '' : 's'}"|`
}

/** Whatever could be syntax of Mermaid, of Markdown (a list, say) or of HTML becomes the number of its character. */
function escaped(name: string): string {
  return name.replace(/^-|[^\p{L}\p{N} _:/-]/gu, (character) => `#${character.codePointAt(0)};`)
}
