import { Rejection } from '../../../runtime/log/codec.ts'
import type { OutgoingRecord } from '../../../runtime/log/log.ts'
import { markerHeader } from '../../../runtime/log/marker.ts'
import { RecordView, redriveHeader } from '../../../runtime/log/record.ts'
import { text } from '../lineText.ts'
import type { PlacedRecord } from '../merges/mergedOrder.ts'
import type { Outcome } from '../outcome.ts'
import { isGap } from '../simulate.ts'
import type { GraphInput } from './graphInput.ts'
import { leadTopic, messageHeaders, messageTime } from './graphPipeline.ts'
import { sentItem } from './hopKey.ts'
import { type Item, itemCodec } from './item.ts'
import { hidesWhatFollows, NaiveGraph } from './naiveGraph.ts'
import { allSteps, type GraphPlan, type OutletPlan, takesBack } from './plan.ts'
import { isShared, placesOf, type TaskPlace } from './taskPlaces.ts'

/**
 * Where the outcome is not what a naive graph makes of the same records and the same steps of time; empty when it is. So a fault that strikes a run with faults and one
 * without alike is found as well. It says nothing about what stands below a guard against leaps.
 */
export function untruthsOfGraph(
  { plan, input }: { readonly plan: GraphPlan; readonly input: GraphInput },
  records: ReadonlyMap<number, readonly PlacedRecord[]>,
  outcome: Outcome,
  closesOpen: boolean,
): string[] {
  const graphs = [...records].map(([task, ofTask]) =>
    graphAfter(plan, ofTask, stepsOfTime(outcome, task), placesOf(plan, input, task), task),
  )
  return [
    ...archiveUntruths(plan, input, outcome, closesOpen),
    ...rowUntruths(graphs, outcome),
    ...letterUntruths(plan, graphs, outcome),
    ...(closesOpen
      ? [...graphs.flatMap(({ open }) => open.map((name) => `! truth: ${name} is still open`)), ...timersLeft(outcome)]
      : []),
  ]
}

interface StepOfTime {
  readonly partition: number
  readonly offset: number
  readonly otherOffsets?: readonly number[]
  readonly sequence?: number
  readonly watermark: number
  readonly clock?: string
}

function stepsOfTime(outcome: Outcome, partition: number): StepOfTime[] {
  const steps = (outcome.get('idle advances') ?? []).map((line) => JSON.parse(line) as StepOfTime)
  return steps
    .filter((step) => step.partition === partition)
    .sort((a, b) => (a.sequence ?? 0) - (b.sequence ?? 0) || a.offset - b.offset || a.watermark - b.watermark)
}

function graphAfter(
  plan: GraphPlan,
  records: readonly PlacedRecord[],
  steps: StepOfTime[],
  places: readonly TaskPlace[],
  task: number,
): NaiveGraph {
  const graph = new NaiveGraph(plan)
  const left = [...steps]
  const moveTo = (isDue: (place: readonly number[]) => boolean) => {
    for (let [step] = left; step !== undefined && isDue([step.offset, ...(step.otherOffsets ?? [])]); [step] = left) {
      graph.advance(step.watermark, step.clock)
      left.shift()
    }
  }
  for (const { input, offset, record } of records) {
    moveTo((place) => (place[input] as number) <= offset)
    if (record.headers?.some(({ key }) => key === markerHeader) === true) {
      graph.mark(JSON.parse(String(record.value)))
      continue
    }
    const value = itemCodec.decode(viewOf(record))
    const header = record.headers?.find(({ key }) => key === redriveHeader)?.value
    const target = header == null ? null : Buffer.from(header).toString()
    const { input: ofPlan } = places[input] as TaskPlace
    // What every task reads is set aside by the first of them alone.
    graph.push(value instanceof Rejection ? null : value, target, ofPlan, task > 0 && isShared(plan, ofPlan))
  }
  moveTo(() => true)
  graph.end()
  return graph
}

function rowUntruths(graphs: readonly NaiveGraph[], outcome: Outcome): string[] {
  const outlets = new Set(graphs.flatMap(({ rows }) => [...rows.keys()]))
  return [...outlets].flatMap((outlet) => {
    const items = graphs.flatMap(({ rows }) => (rows.get(outlet) ?? []).map((item) => sentItem(outlet, item)))
    const found = outcome.get(`${outlet.into} ${outlet.name}`) ?? []
    if (outlet.into === 'table') return compared(outlet.name, kept(outlet, items).map(lineOf), found)
    const messages = found.map((line) => JSON.parse(line) as Message)
    const messageOf = (item: Item) => messageText(item, takesBack(outlet, item))
    const contents = compared(outlet.name, items.map(messageOf), messages.map(contentOf))
    if (outlet.into === 'outside') contents.push(...numberUntruths(messages))
    // Of several tasks that send under one key none is before the other.
    if (outlet.isUnordered || contents.length > 0 || (outlet.hopPartitions !== undefined && graphs.length > 1))
      return contents
    return [...Map.groupBy(items, ({ key }) => `${taskOf(key)} ${outlet.into === 'topic' ? key : ''}`)].flatMap(
      ([group, ofGroup]) => {
        const [task, key] = group.split(' ')
        const ofFound = messages.filter((one) => taskOf(one.key) === task && (key === '' || one.key === key))
        return sameOrder(`${outlet.name} of ${group}`, ofGroup.map(messageOf), ofFound.map(contentOf))
      },
    )
  })
}

/** The messages of each part are numbered from 1, without gaps. */
function numberUntruths(messages: readonly Message[]): string[] {
  const parts = Map.groupBy(messages, ({ id = '' }) => id.slice(0, id.lastIndexOf('/')))
  return [...parts].flatMap(([part, ofPart]) => {
    const numbers = ofPart.map(({ id = '' }) => Number(id.slice(part.length + 1))).sort((a, b) => a - b)
    return numbers.every((number, i) => number === i + 1) ? [] : [`! truth: ${part} has the numbers ${numbers.join()}`]
  })
}

/** A message as its receiver has got it. */
interface Message {
  /** Of a destination alone. */
  readonly id?: string
  readonly time: number
  readonly key: string
  readonly value: string | null
  readonly headers: readonly unknown[]
}

function messageText(item: Item, isGone: boolean): string {
  const { key } = item
  const value = isGone ? null : JSON.stringify(item)
  return text({ time: messageTime(item), key, value, headers: messageHeaders(item) })
}

function contentOf({ time, key, value, headers }: Message): string {
  return text({ time, key, value, headers })
}

function taskOf(key: string): string {
  return key.slice(0, 1)
}

function sameOrder(name: string, expected: readonly string[], found: readonly string[]): string[] {
  const at = expected.findIndex((line, i) => line !== found[i])
  return at < 0 ? [] : [`- truth ${name}, ${at}: ${expected[at]}`, `+ truth ${name}, ${at}: ${found[at]}`]
}

/** An archive has every record of its input, in one object each. */
function archiveUntruths(
  plan: GraphPlan,
  { records, others }: GraphInput,
  outcome: Outcome,
  closesOpen: boolean,
): string[] {
  const logs = [records, ...others]
  const objects = (outcome.get('manifest') ?? []).map(
    (line) => JSON.parse(line) as { readonly topic: string; readonly recordCount: number },
  )
  if (!closesOpen) return []
  return [leadTopic, ...plan.others.map(({ topic }) => topic)].flatMap((topic, input) => {
    const expected = plan.archived.includes(input) ? (logs[input] ?? []).filter((one) => !isGap(one)).length : 0
    const found = objects.reduce((sum, object) => sum + (object.topic === topic ? object.recordCount : 0), 0)
    return expected === found ? [] : [`! truth: the archive of ${topic} has ${found} of ${expected} records`]
  })
}

/** What of the rows the table keeps. */
function kept(outlet: OutletPlan, items: readonly Item[]): readonly Item[] {
  if (outlet.mode === 'append') return items
  const newest = new Map<string, Item>()
  for (const item of items) {
    const id = `${item.key} ${item.id}`
    if (item.revision < (newest.get(id)?.revision ?? 0)) continue
    if (takesBack(outlet, item)) newest.delete(id)
    else newest.set(id, item)
  }
  return [...newest.values()]
}

function letterUntruths(plan: GraphPlan, graphs: readonly NaiveGraph[], outcome: Outcome): string[] {
  const letters = (outcome.get('dead letters') ?? []).map((line) => JSON.parse(line) as Letter)
  const isUnredriven = ({ reason }: Letter) => reason === 'not-redrivable'
  const names = new Set(graphs.flatMap(({ setAside }) => [...setAside.keys()]))
  const ofOperators = [...names].flatMap((name) => {
    const expected = graphs.reduce((sum, { setAside }) => sum + (setAside.get(name) ?? 0), 0)
    const found = letters.filter((letter) => letter.operator === name && !isUnredriven(letter)).length
    return expected === found ? [] : [`! truth: ${name} sets ${expected} values aside, found ${found}`]
  })
  // What a guard holds back is answered for until it is decided about, and so is what waits for an answer.
  if (allSteps(plan).some(hidesWhatFollows)) return ofOperators
  const expected = graphs.reduce((sum, { unredriven }) => sum + unredriven, 0)
  const found = letters.filter(isUnredriven).length
  return expected === found
    ? ofOperators
    : [...ofOperators, `! truth: ${expected} records cannot be redriven, found ${found}`]
}

interface Letter {
  readonly operator: string
  readonly reason: string
}

/** Timers that were set for a time, though all time has come. */
function timersLeft(outcome: Outcome): string[] {
  const left = (outcome.get('state') ?? []).filter((line) => / silence\d+ timers /.test(line))
  return left.map((line) => `! truth: left after the end: ${line}`)
}

function compared(name: string, expected: readonly string[], found: readonly string[]): string[] {
  const left = [...found]
  const missing = expected.filter((line) => {
    const at = left.indexOf(line)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
  return [...missing.map((line) => `- truth ${name}: ${line}`), ...left.map((line) => `+ truth ${name}: ${line}`)]
}

function lineOf({ key, id, at, n, revision, count }: Item): string {
  return JSON.stringify({ key, id: String(id), at: String(at), n, revision, count })
}

function viewOf({ value }: OutgoingRecord): RecordView {
  const view = new RecordView()
  if (value === null) return view
  view.buffer = Buffer.from(value)
  view.valueLength = view.buffer.length
  return view
}
