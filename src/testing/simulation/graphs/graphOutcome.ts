import type { Outcome } from '../outcome.ts'
import type { SimulatedRecord } from '../simulate.ts'
import { type GraphInput, placed } from './graphInput.ts'
import type { Item } from './item.ts'
import { type GraphPlan, outletsOf } from './plan.ts'
import { placesOf } from './taskPlaces.ts'

/** What differs between the outcomes of two runs of a graph. Messages, and rows that are only added, are compared in the order of their partition, unless the graph promises none. */
export function graphDifferences(
  { plan, input }: { readonly plan: GraphPlan; readonly input: GraphInput },
  first: Outcome,
  second: Outcome,
): string[] {
  const places = new Places(plan, input)
  const ordered = new Set(
    outletsOf(plan.root).flatMap(({ name, into, mode, isUnordered }) =>
      mode === 'append' && !isUnordered ? [`${into} ${name}`] : [],
    ),
  )
  const unnumbered = new Set(
    outletsOf(plan.root).flatMap(({ name, into, isUnordered }) =>
      into === 'outside' && isUnordered ? [`outside ${name}`] : [],
    ),
  )
  const names = [...new Set([...first.keys(), ...second.keys()])]
  const linesOf = (outcome: Outcome, name: string) =>
    (outcome.get(name) ?? [])
      .map(plan.migratesAtStart === null ? asIs : withoutFloor)
      .map(unnumbered.has(name) ? withoutNumber : asIs)
      .map((line) => (name === 'idle advances' || name === 'merge notes' ? places.inRecords(line) : line))
  return names.flatMap((name) => {
    const left = linesOf(first, name)
    const right = linesOf(second, name)
    const lines = multisetDifferences(name, left, right)
    return lines.length === 0 && ordered.has(name) ? orderDifferences(name, left, right) : lines
  })
}

interface PlacedLine {
  readonly partition: number
  readonly offset?: number
  readonly otherOffsets?: readonly number[]
  readonly offsets?: readonly number[]
}

/** When a reader finds out that offsets have no record depends on how a log is cut up, so a place is how many records lie before it. */
class Places {
  readonly #plan: GraphPlan
  readonly #input: GraphInput
  readonly #logs: readonly (readonly SimulatedRecord[])[]
  readonly #offsets = new Map<string, readonly number[]>()

  constructor(plan: GraphPlan, input: GraphInput) {
    this.#plan = plan
    this.#input = input
    this.#logs = [input.records, ...input.others]
  }

  inRecords(line: string): string {
    const placed = JSON.parse(line) as PlacedLine
    const { partition, offset, otherOffsets, offsets } = placed
    return JSON.stringify({
      ...placed,
      ...(offset === undefined ? {} : { offset: this.#before(0, partition, offset) }),
      ...(otherOffsets === undefined
        ? {}
        : { otherOffsets: otherOffsets.map((one, i) => this.#before(i + 1, partition, one)) }),
      ...(offsets === undefined ? {} : { offsets: offsets.map((one, input) => this.#before(input, partition, one)) }),
    })
  }

  /** @param at which input of the task */
  #before(at: number, task: number, offset: number): number {
    const place = placesOf(this.#plan, this.#input, task)[at]
    if (place === undefined) return offset
    const { input, partition } = place
    const name = `${input}/${partition}`
    const all = this.#offsets.get(name) ?? placed(this.#logs[input] ?? [], partition).map((record) => record.offset)
    this.#offsets.set(name, all)
    return all.filter((one) => one < offset).length
  }
}

const asIs = (line: string) => line

/** A run that had another allowed lateness before keeps in mind what was over then; one that began with the present one cannot. */
const withoutFloor = (line: string) => line.replace(/"over":-?\d+/, '"over":null')

/** Where no order is promised, which message has which number is nobody's promise either. */
const withoutNumber = (line: string) => line.replace(/"id":"[^"]*"/, '"id":null')

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
