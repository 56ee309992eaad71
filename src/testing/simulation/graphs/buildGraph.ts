import { map, merge, type Observable, type OperatorFunction, share } from 'rxjs'
import { aggregateWindow } from '../../../operators/aggregateWindow.ts'
import { batchFlush } from '../../../operators/batchFlush.ts'
import { decode } from '../../../operators/decode.ts'
import { dedupe } from '../../../operators/dedupe.ts'
import { enrich } from '../../../operators/enrich.ts'
import { eventTime } from '../../../operators/eventTime.ts'
import { lookup } from '../../../operators/lookup.ts'
import { mapAsync } from '../../../operators/mapAsync.ts'
import type { StreamTable } from '../../../operators/streamTable.ts'
import { toTable } from '../../../operators/toTable.ts'
import { tumblingWindow } from '../../../operators/tumblingWindow.ts'
import { upstreamTime } from '../../../operators/upstreamTime.ts'
import type { WindowElement, WindowFired } from '../../../operators/window.ts'
import { RetryableError } from '../../../runtime/errors.ts'
import { field } from '../../../runtime/field.ts'
import type { Destination } from '../../../runtime/log/destination.ts'
import type { RecordView } from '../../../runtime/log/record.ts'
import type { OperatorSpec } from '../../../runtime/operator/operator.ts'
import { shared as sharing } from '../../../runtime/spans/shared.ts'
import { enriched, type Item, itemCodec, residueOf, throwOn } from './item.ts'
import { each, type Flow, plainStep } from './plainSteps.ts'
import {
  decoderOf,
  foldOf,
  type GraphPlan,
  isOutlet,
  type OutletPlan,
  type Step,
  type Stretch,
  type TablePlan,
} from './plan.ts'
import { counter, type Edition, moves, retired, running, silence } from './userOperators.ts'
import { timedOperator } from './windowKinds.ts'
import { countOf, intoSecond, noTotals, type Totals, withItem } from './windowTotals.ts'

/** Where a drawn graph runs. */
export interface GraphSurroundings {
  readonly edition: Edition
  /** Has an asynchronous call take a while. */
  pause(mostMs: number): Promise<void>
  /** Where messages go that no topic takes. */
  destination(name: string): Destination
  /** True when an asynchronous call is to fail for now. */
  isAway(): boolean
  /** What somebody outside says about a key, which is another thing each time; throws where it has an error for an answer. */
  answer(key: string): number | null
  readonly onReject?: OperatorSpec['onReject']
}

/** An option that shapes nothing is of no effect from here on, so the editions may differ in it. */
export const unreachableMs = 1e9

/** Builds what a plan says, with the operators that a user has, and gives the streams that end in its outlets, in their order. */
export function buildGraph(
  plan: GraphPlan,
  inputs: readonly Observable<RecordView>[],
  surroundings: GraphSurroundings,
): ReadonlyMap<OutletPlan, Observable<Flow>> {
  const streams = new Map<OutletPlan, Observable<Flow>>()
  const tables = new Map<string, StreamTable<number>>()
  const { onReject } = surroundings

  function build({ steps, end }: Stretch, above: Observable<Flow>): void {
    const flow = withSteps(steps, above)
    if (isOutlet(end)) {
      streams.set(end, flow)
      return
    }
    // Both ways to share, the one that lends and the one that does not.
    const shared = end.length % 2 === 0 ? sharing(flow) : flow.pipe(share())
    for (const stretch of end) build(stretch, shared)
  }

  function withSteps(steps: readonly Step[], above: Observable<Flow>): Observable<Flow> {
    return steps.reduce((flow, step) => {
      if (step.kind !== 'diamond') return flow.pipe(operatorOf(step, surroundings, tables))
      const shared = step.branches.length % 2 === 0 ? sharing(flow) : flow.pipe(share())
      return merge(...step.branches.map((branch) => withSteps(branch, shared)))
    }, above)
  }

  const inputSteps = [plan.leadSteps, ...plan.others.map(({ steps }) => steps)]
  const decoded = inputs.map((records, input) =>
    withSteps(
      inputSteps[input] as readonly Step[],
      records.pipe(decode(itemCodec, { name: decoderOf(plan, input), onReject })),
    ),
  )
  for (const [i, { table }] of plan.others.entries()) {
    if (table !== null) tables.set(table.name, tableOf(table, decoded[i + 1] as Observable<Item>, onReject))
  }
  const met = decoded.filter((_, input) => input === 0 || plan.others[input - 1]?.table === null)
  build(plan.root, met.length === 1 ? (met[0] as Observable<Flow>) : merge(...met))
  return streams
}

type SingleStep = Exclude<Step, { readonly kind: 'diamond' }>

type Tables = ReadonlyMap<string, StreamTable<number>>

function tableOf(
  { name, removesOn, throwsOn, ttlMs }: TablePlan,
  changes: Observable<Item>,
  onReject: GraphSurroundings['onReject'],
): StreamTable<number> {
  return toTable(changes, {
    name,
    by: ({ key }) => key,
    value: (item) => {
      throwOn(throwsOn, item)
      return residueOf(item) === removesOn ? null : item.n
    },
    maxKeys: 1_000,
    ...(ttlMs === null ? {} : { ttlMs }),
    onReject,
  })
}

function operatorOf(step: SingleStep, surroundings: GraphSurroundings, tables: Tables): OperatorFunction<Flow, Flow> {
  // A plan has operators for single values only where no batches come.
  return (flow) => flow.pipe(flowOperator(step, surroundings, tables) as OperatorFunction<Flow, Flow>)
}

function flowOperator(
  step: SingleStep,
  surroundings: GraphSurroundings,
  tables: Tables,
): OperatorFunction<Item, Flow> | OperatorFunction<Flow, Flow> {
  const { edition, onReject } = surroundings
  switch (step.kind) {
    case 'filter':
    case 'onlySound':
    case 'map':
    case 'spread':
    case 'flatten':
      return plainStep(step)
    case 'eventTime': {
      const { name, maxOutOfOrdernessMs, guard } = step
      const of = readsColumns(name) ? field('at') : ({ at }: Item) => at
      return eventTime<Item>({ name, of, maxOutOfOrdernessMs, ...guard, onReject })
    }
    case 'upstreamTime':
      return upstreamTime<Item>({ name: step.name, of: ({ at }) => at })
    case 'dedupe':
      return dedupeOf(step, surroundings)
    case 'window':
      return windowOf(step, surroundings)
    case 'hops':
    case 'session':
    case 'lots':
    case 'join':
    case 'asOf':
    case 'inOrder':
      return timedOperator(step, onReject)
    case 'batch':
      return batchFlush<Item>({ name: step.name, maxCount: step.maxCount })
    case 'mapAsync':
      return mapAsyncOf(step, surroundings)
    case 'lookup':
      return lookupOf(step, surroundings)
    case 'counter':
      return counter({ name: step.name, onReject }, { edition, throwsOn: step.throwsOn })
    case 'silence':
      return silence({ name: step.name, onReject }, step.afterMs)
    case 'moves':
      return moves({ name: step.name, onReject }, step.everyMs)
    case 'running':
      return running({ name: step.name, onReject })
    case 'enrich':
      return enrich(tables.get(step.table) as StreamTable<number>, {
        name: step.name,
        by: ({ key }: Item) => key,
        with: (item, row) => enriched(step, item, row),
        onReject,
      })
    case 'retired':
      return edition === 1 ? retired({ name: step.name, onReject }) : (flow: Observable<Flow>) => flow
  }
}

/** Half of the operators name the fields that they read, and so read them in columns where values lie in some. */
function readsColumns(name: string): boolean {
  return (name.charCodeAt(name.length - 1) & 1) === 0
}

type StepOf<K extends Step['kind']> = Extract<Step, { readonly kind: K }>

function dedupeOf({ name, ids, ttlMs, throwsOn }: StepOf<'dedupe'>, { edition, onReject }: GraphSurroundings) {
  const base = {
    name,
    by:
      throwsOn === null && readsColumns(name)
        ? field('key')
        : (item: Item) => {
            throwOn(throwsOn, item)
            return item.key
          },
    id: readsColumns(name) ? field('id') : ({ id }: Item) => id,
    ttlMs: longer(ttlMs, edition),
    onReject,
  }
  return ids === 'ranges' ? dedupe<Item>({ ...base, ids }) : dedupe<Item>(base)
}

function windowOf(step: StepOf<'window'>, { edition, onReject }: GraphSurroundings): OperatorFunction<Item, Item> {
  const { name, sizeMs, allowedLatenessMs, provisionalEveryMs, early, throwsIn, throwsOn } = step
  const failIn = (callback: typeof throwsIn, item: Item) => {
    if (throwsIn === callback) throwOn(throwsOn, item)
  }
  const windows = tumblingWindow<Item>({
    name,
    sizeMs,
    by:
      throwsIn !== 'by' && readsColumns(name)
        ? field('key')
        : (item: Item) => {
            failIn('by', item)
            return item.key
          },
    allowedLatenessMs: longer(allowedLatenessMs, edition),
    onReject,
  })
  const fold = aggregateWindow<Item, Totals, Item>({
    name: foldOf(name),
    initial: () => noTotals(edition),
    version: edition,
    migrate: intoSecond,
    add: (totals, item) => {
      failIn('add', item)
      return withItem(totals, item)
    },
    result: (totals, { key, start, end }, { revision }) => {
      const n = Number((totals.sum + BigInt(totals.last.length)) % 89n)
      const result = { key, id: start / sizeMs, at: end - 1, n, revision, count: countOf(totals) }
      failIn('result', result)
      return result
    },
    ...(provisionalEveryMs === null ? {} : { provisionalEveryMs }),
    ...(early === undefined ? {} : { early }),
    onReject,
  })
  const between = map((element: WindowElement<Item>) => {
    if (element.kind === 'value') failIn('step', element.value)
    if (element.kind === 'fired') failIn('step-on-fired', numbered(element))
    return element
  })
  // A step between the two gets values of its own, so that none of them comes to the fold with others.
  const hasStep = throwsIn === 'step' || throwsIn === 'step-on-fired'
  return (items) => (hasStep ? items.pipe(windows, between, fold) : items.pipe(windows, fold))
}

/** What a callback can decide by where there is only a window. */
function numbered({ window }: WindowFired): Item {
  return { key: window.key, id: window.start, at: window.end - 1, n: (window.end / 1_000) % 90, revision: 0, count: 0 }
}

function mapAsyncOf(step: StepOf<'mapAsync'>, surroundings: GraphSurroundings): OperatorFunction<Flow, Flow> {
  const { name, concurrency, mostMs, throwsOn, retries } = step
  const change = each((item) => mappedAsync(throwsOn, item))
  return mapAsync(
    async (value: Flow) => {
      await surroundings.pause(mostMs)
      if (retries && surroundings.isAway()) throw new RetryableError(`${name}: drawn to be away for now`)
      return change(value)
    },
    { name, concurrency, onReject: surroundings.onReject },
  )
}

function lookupOf(step: StepOf<'lookup'>, surroundings: GraphSurroundings): OperatorFunction<Item, Flow> {
  const { name, concurrency, mostMs, cache, perSecond, throwsOn } = step
  return lookup<Item, number, Item>({
    name,
    concurrency,
    by: ({ key, n }) => `${key}${n % 3}`,
    get: async (key) => {
      await surroundings.pause(mostMs)
      if (surroundings.isAway()) throw new RetryableError(`${name}: drawn to be away for now`)
      return surroundings.answer(key)
    },
    with: (item, answer) => {
      throwOn(throwsOn, item)
      return { ...item, n: (item.n + (answer ?? 7)) % 90 }
    },
    ...(cache === null ? {} : { cache }),
    ...(perSecond === null ? {} : { perSecond }),
    record: true,
    onReject: surroundings.onReject,
  })
}

/** What an asynchronous call makes of a value in the end. */
export function mappedAsync(throwsOn: number | null, item: Item): Item {
  throwOn(throwsOn, item)
  return { ...item, n: (item.n * 3 + 1) % 90 }
}

function longer(ms: number, edition: Edition): number {
  return ms >= unreachableMs ? ms * edition : ms
}
