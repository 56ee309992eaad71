import { from, Subject, take, tap } from 'rxjs'
import { Batch } from '../../../runtime/batch.ts'
import type { Rejected } from '../../../runtime/letters/deadLetters.ts'
import type { OutgoingRecord } from '../../../runtime/log/log.ts'
import { RecordView } from '../../../runtime/log/record.ts'
import { definePipeline, type Pipeline } from '../../../runtime/pipeline/pipeline.ts'
import { StreamTask } from '../../../runtime/task/streamTask.ts'
import { Random } from '../../random.ts'
import { buildGraph, type GraphSurroundings } from './buildGraph.ts'
import { type Flow, plainStep } from './plainSteps.ts'
import { describePlan, type GraphPlan, type OutletPlan, outletsOf, stepsOf } from './plan.ts'

/** A graph to be run outside of a task and in one. */
export interface TwinSchedule {
  readonly seed: number
  readonly plan: GraphPlan
  readonly records: readonly OutgoingRecord[]
  /** True: outside, the records come while the graph is being subscribed to. */
  readonly isSynchronous: boolean
  /** Outside, branches that end after so many values, by the names of their outlets. */
  readonly takes: ReadonlyMap<string, number>
}

/** What came out of a graph. */
interface Heard {
  /** All of it as it came, each line with its outlet. */
  readonly lines: string[]
  readonly rejected: Rejected[]
  /** What should not have happened. */
  readonly troubles: string[]
}

/** What a graph gives in a plain program and what it gives in a task, where that differs; empty when nothing does. */
export async function twinDifferences(schedule: TwinSchedule): Promise<string[]> {
  const { plan, takes } = schedule
  const outside = await runOutside(schedule)
  const inside = await runInTask(schedule)
  const isInOneOrder = takes.size === 0 && !hasLoose(plan)
  const operators = new Set([...outside.rejected, ...inside.rejected].map(({ operator }) => operator))
  const differences = [
    ...outside.troubles,
    ...(isInOneOrder
      ? firstDifference('all branches', outside.lines, inside.lines)
      : outletsOf(plan.root).flatMap((outlet) => branchDifference(outlet, takes.get(outlet.name), outside, inside))),
    ...[...operators].flatMap((operator) => {
      const before = rejectedBy(outside, operator)
      const after = rejectedBy(inside, operator)
      // What only ended branches would have set aside is nobody's loss.
      return firstDifference(`rejects of ${operator}`, before, takes.size === 0 ? after : after.slice(0, before.length))
    }),
  ]
  return differences.length === 0 ? [] : [`  ${describeTwin(schedule)}`, ...differences]
}

/** True where values are let go when the task is brought to rest, which a plain program never is. */
function hasLoose({ root }: GraphPlan): boolean {
  return stepsOf(root).some(({ kind }) => kind === 'mapAsync' || kind === 'batch')
}

function describeTwin({ plan, isSynchronous, takes }: TwinSchedule): string {
  const taken = [...takes].map(([outlet, count]) => ` (${outlet} takes ${count})`)
  return `${isSynchronous ? '(from) ' : ''}${describePlan(plan)}${taken.join('')}`
}

async function runOutside({ seed, plan, records, isSynchronous, takes }: TwinSchedule): Promise<Heard> {
  const heard = nothingHeard()
  const source = new Subject<RecordView>()
  const views = records.map(viewOf)
  const streams = buildGraph(plan, [isSynchronous ? from(views) : source], {
    ...surroundingsOf(`outside ${seed}`),
    onReject: (rejected) => heard.rejected.push(rejected),
  })
  const ends = [...streams].map(([outlet, flow]) => {
    const most = takes.get(outlet.name)
    const taken = most === undefined ? flow : flow.pipe(plainStep({ kind: 'flatten' }), take(most))
    return new Promise<void>((resolve) => {
      taken.subscribe({
        next: (value) => hear(heard, outlet, value),
        error: (error: unknown) => {
          heard.troubles.push(`! ${outlet.name} ended with ${String(error)}`)
          resolve()
        },
        complete: resolve,
      })
    })
  })
  for (const view of views) source.next(view)
  source.complete()
  const isOver = await Promise.race([Promise.all(ends).then(() => true), manyTurns().then(() => false)])
  if (!isOver) heard.troubles.push('! a branch did not complete')
  return heard
}

async function runInTask({ seed, plan, records }: TwinSchedule): Promise<Heard> {
  const heard = nothingHeard()
  const pipeline = definePipeline({
    name: 'twin',
    build: (all) =>
      Object.fromEntries(
        [...buildGraph(plan, [all], surroundingsOf(`inside ${seed}`))].map(([outlet, flow]) => {
          const table = { name: outlet.name, mode: 'append', columns: [] } as const
          return [
            outlet.name,
            { kind: 'rows' as const, table, values: flow.pipe(tap((value) => hear(heard, outlet, value))) },
          ]
        }),
      ),
  }) as Pipeline
  const task = new StreamTask(pipeline, null, 0)
  for (const [offset, record] of records.entries()) {
    const view = viewOf(record)
    view.offset = offset
    task.push(view)
    if (task.isSaturated) await task.settle()
  }
  if (hasLoose(plan)) await task.quiesce({ now: 0, isFinal: false })
  task.closeOpen()
  const { deadLetters } = await task.cutWhenQuiet({ now: 0, isFinal: true })
  heard.rejected.push(...deadLetters)
  return heard
}

function nothingHeard(): Heard {
  return { lines: [], rejected: [], troubles: [] }
}

function hear({ lines }: Heard, { name }: OutletPlan, value: Flow): void {
  const items = value instanceof Batch ? value : [value]
  for (const item of items) lines.push(`${name} ${JSON.stringify(item)}`)
}

function branchDifference(outlet: OutletPlan, most: number | undefined, outside: Heard, inside: Heard): string[] {
  const before = linesOf(outside, outlet)
  const after = linesOf(inside, outlet)
  if (most === undefined) return firstDifference(outlet.name, before, after)
  // Where no order is promised the first ones may be others.
  return outlet.isUnordered ? [] : firstDifference(outlet.name, before, after.slice(0, most))
}

function linesOf({ lines }: Heard, { name, isUnordered }: OutletPlan): string[] {
  const ofIt = lines.filter((line) => line.startsWith(`${name} `))
  return isUnordered ? ofIt.sort() : ofIt
}

function rejectedBy({ rejected }: Heard, name: string): string[] {
  return rejected.flatMap(({ operator, reason, detail }) => (operator === name ? [`${reason}: ${detail}`] : []))
}

function firstDifference(what: string, outside: readonly string[], inside: readonly string[]): string[] {
  const at = Array.from({ length: Math.max(outside.length, inside.length) }, (_, i) => i).find(
    (i) => outside[i] !== inside[i],
  )
  if (at === undefined) return []
  return [
    `- ${what}, ${at} of ${outside.length}: ${outside[at]}`,
    `+ ${what}, ${at} of ${inside.length}: ${inside[at]}`,
  ]
}

/** Asynchronous calls take a few turns of the queue of promises: neither side knows a clock. */
function surroundingsOf(seed: string): GraphSurroundings {
  const random = new Random(seed)
  return {
    edition: 1,
    async pause(mostMs) {
      for (let left = random.int(0, Math.min(mostMs, 6)); left > 0; left--) await null
    },
    destination: (name) => {
      throw new Error(`bug: ${name} was drawn for a plain program`)
    },
    isAway: () => false,
    answer: (key) => {
      throw new Error(`bug: ${key} was asked about in a plain program`)
    },
  }
}

/** Longer than any number of promises takes that a graph of this size can wait for. */
async function manyTurns(): Promise<void> {
  for (let left = 50; left > 0; left--) await new Promise((resolve) => setImmediate(resolve))
}

function viewOf({ value, key, timestamp }: OutgoingRecord): RecordView {
  const view = new RecordView()
  view.timestamp = timestamp
  view.buffer = Buffer.concat([key ?? Buffer.alloc(0), value ?? Buffer.alloc(0)])
  view.keyLength = key?.length ?? -1
  view.valueStart = key?.length ?? 0
  view.valueLength = value?.length ?? -1
  return view
}
