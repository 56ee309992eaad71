import { countText } from '../../../src/console/text.ts'
import type { PipelineGraph } from '../../../src/runtime/task/graph.ts'
import type { PipelineView } from '../../../src/web/pipelineView.ts'
import { zone } from '../shell/choices.ts'
import { plain, shortAge, timeText } from '../shell/format.ts'
import { chosenNode } from './chosenNode.ts'

/** All that is known of a part of the graph. */
export function NodeDetails({
  view,
  graph,
  id,
}: {
  readonly view: PipelineView
  readonly graph: PipelineGraph
  readonly id: string
}) {
  const node = graph.nodes.find((one) => one.id === id)
  if (node === undefined) return null
  const namesOf = (ids: readonly string[]) =>
    ids.length === 0 ? '–' : ids.map((one) => plain(one.slice(one.indexOf(':') + 1))).join(', ')
  const facts: (readonly [string, string])[] = [
    ['Reads', namesOf(graph.edges.filter(({ to }) => to === id).map(({ from }) => from))],
    ['Read by', namesOf(graph.edges.filter(({ from }) => from === id).map(({ to }) => to))],
  ]
  const input = node.kind === 'input' ? view.inputs.find(({ name }) => name === node.name) : undefined
  if (input !== undefined) {
    facts.push(
      ['Topic', plain(input.topic)],
      ['Lag', `${countText(input.lagRecords)} records`],
      ['Next offsets, added up', countText(input.nextOffset)],
      ['Watermark', input.lagMs === null ? 'it has none' : `${shortAge(input.lagMs)} behind`],
    )
  }
  const operator = node.kind === 'operator' ? view.operators.find(({ name }) => name === node.name) : undefined
  if (operator !== undefined) {
    facts.push(
      ['Values in', countText(operator.valuesIn)],
      ['Values out', countText(operator.valuesOut)],
      ['Keys held', countText(operator.keyCount)],
      [
        'Open until',
        operator.openUntil === null ? 'nothing is open' : `${timeText(operator.openUntil, zone.value)} ${zone.value}`,
      ],
      ...(operator.heldBy === null ? [] : [['Waits for', plain(operator.heldBy)] as const]),
    )
  }
  const outlet = node.kind === 'outlet' ? view.outlets.find(({ outlet: name }) => name === node.name) : undefined
  if (outlet !== undefined) {
    facts.push(
      ['Goes to', plain(outlet.to)],
      [outlet.kind === 'rows' ? 'Rows' : 'Messages', countText(outlet.count)],
      ['A second', outlet.perS.toFixed(1)],
      ...(outlet.kind === 'messages'
        ? [['Wait to be sent', countText(outlet.waiting)] as const, ['Refused', countText(outlet.refused)] as const]
        : []),
    )
  }
  return (
    <section class="card details" aria-labelledby="details-title" aria-live="polite">
      <header>
        <h2 id="details-title">
          {plain(node.name)} <small>{node.isTable === true ? 'table' : node.kind}</small>
        </h2>
        <button type="button" class="link" onClick={() => (chosenNode.value = null)}>
          Close
        </button>
      </header>
      <dl class="facts">
        {facts.map(([what, value]) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}
