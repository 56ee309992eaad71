import type { GraphNode } from '../../../src/runtime/task/graph.ts'
import type { PipelineView } from '../../../src/web/pipelineView.ts'
import { shortCount } from '../shell/format.ts'

/** What a node is called, and what is told of it in a line. */
export interface NodeText {
  readonly name: string
  readonly facts: string
  readonly level: string
}

export function nodeText(view: PipelineView, node: GraphNode): NodeText {
  const level = view.worries.find(({ where }) => where === node.id)?.level ?? 'good'
  return { name: node.name, facts: factsOf(view, node), level }
}

function factsOf(view: PipelineView, node: GraphNode): string {
  if (node.kind === 'input') {
    const input = view.inputs.find(({ name }) => name === node.name)
    return input === undefined ? (node.topic ?? '') : `lag ${shortCount(input.lagRecords)}`
  }
  if (node.kind === 'operator') {
    const operator = view.operators.find(({ name }) => name === node.name)
    if (operator === undefined) return ''
    const keys = operator.keyCount > 0 ? ` · ${shortCount(operator.keyCount)} keys` : ''
    return `${shortCount(operator.valuesIn)} → ${shortCount(operator.valuesOut)}${keys}`
  }
  if (node.isArchive === true) return 'archive'
  const outlet = view.outlets.find(({ outlet: name }) => name === node.name)
  if (outlet === undefined) return node.table ?? node.topic ?? node.destination ?? ''
  const waiting = outlet.waiting > 0 ? ` · ${shortCount(outlet.waiting)} wait` : ''
  return `${shortCount(outlet.count)} ${outlet.kind}${waiting}`
}
