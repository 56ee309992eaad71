import type { Outcome } from '../outcome.ts'
import type { Item } from './item.ts'
import { type GraphPlan, outletsOf } from './plan.ts'

/** What differs between the outcomes of two runs of a graph. Rows that are only added are compared in the order of their partition, unless the graph promises none. */
export function graphDifferences(plan: GraphPlan, first: Outcome, second: Outcome): string[] {
  const ordered = new Set(
    outletsOf(plan.root).flatMap(({ name, mode, isUnordered }) =>
      mode === 'append' && !isUnordered ? [`table ${name}`] : [],
    ),
  )
  const names = [...new Set([...first.keys(), ...second.keys()])]
  const linesOf = (outcome: Outcome, name: string) =>
    (outcome.get(name) ?? []).map(plan.migratesAtStart === null ? asIs : withoutFloor)
  return names.flatMap((name) => {
    const left = linesOf(first, name)
    const right = linesOf(second, name)
    const lines = multisetDifferences(name, left, right)
    return lines.length === 0 && ordered.has(name) ? orderDifferences(name, left, right) : lines
  })
}

const asIs = (line: string) => line

/** A run that had another allowed lateness before keeps in mind what was over then; one that began with the present one cannot. */
const withoutFloor = (line: string) => line.replace(/"over":-?\d+/, '"over":null')

function multisetDifferences(name: string, left: readonly string[], right: readonly string[]): string[] {
  const surplus = new Map<string, number>()
  for (const line of left) surplus.set(line, (surplus.get(line) ?? 0) + 1)
  for (const line of right) surplus.set(line, (surplus.get(line) ?? 0) - 1)
  return [...surplus].flatMap(([line, times]) => {
    if (times === 0) return []
    const often = Math.abs(times) === 1 ? '' : ` (${Math.abs(times)} times)`
    return [`${times > 0 ? '-' : '+'} ${name}: ${line}${often}`]
  })
}

function orderDifferences(name: string, left: readonly string[], right: readonly string[]): string[] {
  const partitions = Map.groupBy(right, partitionOf)
  return [...Map.groupBy(left, partitionOf)].flatMap(([partition, lines]) => {
    const others = partitions.get(partition) ?? []
    const at = lines.findIndex((line, i) => line !== others[i])
    if (at < 0) return []
    return [
      `- ${name}, row ${at} of partition ${partition}: ${lines[at]}`,
      `+ ${name}, row ${at} of partition ${partition}: ${others[at]}`,
    ]
  })
}

function partitionOf(line: string): string {
  return (JSON.parse(line) as Item).key.slice(0, 1)
}
