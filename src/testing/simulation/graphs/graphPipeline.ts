import { map, type Observable } from 'rxjs'
import { Batch } from '../../../runtime/batch.ts'
import type { RecordHeader, RecordView } from '../../../runtime/log/record.ts'
import type { MessagesOutlet } from '../../../runtime/pipeline/outlet.ts'
import { definePipeline, type Pipeline } from '../../../runtime/pipeline/pipeline.ts'
import type { Column, ColumnValue, Table } from '../../../runtime/store/table.ts'
import { type Withdrawn, withdrawn } from '../../../runtime/withdrawn.ts'
import { toArchive } from '../../../sinks/toArchive.ts'
import { toDestination } from '../../../sinks/toDestination.ts'
import { toPostgres } from '../../../sinks/toPostgres.ts'
import { toTopic } from '../../../sinks/toTopic.ts'
import { buildGraph, type GraphSurroundings } from './buildGraph.ts'
import { sentItem } from './hopKey.ts'
import { type Item, residues } from './item.ts'
import type { Flow } from './plainSteps.ts'
import { allSteps, type GraphPlan, type OutletPlan, takesBack } from './plan.ts'

type Row = Item | readonly (string | number)[]

/** The topic of the leading input. */
export const leadTopic = 'items'

const fields = ['key', 'id', 'at', 'n', 'revision', 'count'] as const

/** A plan as a pipeline, each of whose outlets is named like the table, topic or destination that it writes to. */
export function graphPipeline(plan: GraphPlan, surroundings: GraphSurroundings): Pipeline {
  const gone = allSteps(plan)
    .filter((step) => step.kind === 'retired')
    .map(({ name }) => name)
  const { others } = plan
  const options = {
    name: 'graph',
    ...(plan.idleAfterMs === null ? {} : { idleAfterMs: plan.idleAfterMs }),
    ...(surroundings.edition === 1 ? {} : { retired: gone }),
  }
  const outletsOver = (inputs: readonly Observable<RecordView>[]) =>
    Object.fromEntries(
      [...buildGraph(plan, inputs, surroundings)].map(([outlet, flow]) => {
        const isTable = outlet.into === 'table'
        return [
          outlet.name,
          isTable
            ? toPostgres<Row>(resultsOf(outlet, flow, outlet.isTuple ? tupleOf : asItIs), tableOf(outlet))
            : messagesOf(outlet, flow, surroundings),
        ]
      }),
    )
  const withArchives = (inputs: readonly Observable<RecordView>[]) => ({
    ...outletsOver(inputs),
    ...Object.fromEntries(
      plan.archived.map((input) => [`raw${input}`, toArchive(inputs[input] as Observable<RecordView>)]),
    ),
  })
  if (others.length === 0 && !plan.isOneTask)
    return definePipeline({ ...options, build: (records) => withArchives([records]) })
  const inputs = Object.fromEntries([
    [leadTopic, { topic: leadTopic, ...(plan.isOneTask ? { partitions: 'all' } : {}) }],
    ...others.map(({ topic, idleAfterMs, table, isWhole }) => [
      topic,
      {
        topic,
        ...(idleAfterMs === null ? {} : { idleAfterMs }),
        ...(table === null ? {} : { movesTime: false }),
        ...(plan.isOneTask || isWhole ? { partitions: 'all' } : {}),
      },
    ]),
  ]) as Readonly<Record<string, { readonly topic: string }>>
  return definePipeline({ ...options, inputs, build: (streams) => withArchives(Object.values(streams)) })
}

/** Values as the outlet makes rows of them, and as what takes those back. */
function resultsOf<R>(
  outlet: OutletPlan,
  flow: Observable<Flow>,
  rowOf: (item: Item) => R,
): Observable<R | Withdrawn<R> | Batch<R | Withdrawn<R>>> {
  const resultOf = (item: Item) => (takesBack(outlet, item) ? withdrawn(rowOf(item)) : rowOf(item))
  return flow.pipe(
    map((value) => (value instanceof Batch ? (value.map(resultOf) as Batch<R | Withdrawn<R>>) : resultOf(value))),
  )
}

const asItIs = (item: Item): Row => item

function messagesOf(
  outlet: OutletPlan,
  flow: Observable<Flow>,
  { destination }: GraphSurroundings,
): MessagesOutlet<Item> {
  const { name, into, badColumn } = outlet
  const isBad = (item: Item, how: 'throws' | 'wrong-type') =>
    badColumn?.how === how && item.n % residues === badColumn.on
  const at = (item: Item) => (isBad(item, 'wrong-type') ? Number.NaN : messageTime(item))
  const encode = (item: Item) => {
    if (isBad(item, 'throws')) throw new Error(`drawn to fail on ${item.n}`)
    return JSON.stringify(sentItem(outlet, item))
  }
  if (into === 'topic')
    return toTopic<Item>(
      resultsOf(outlet, flow, (item) => item),
      {
        ...{ topic: name, at, encode, headers: messageHeaders },
        by: (item) => sentItem(outlet, item).key,
        ...(outlet.hopPartitions === undefined ? {} : { markers: true }),
      },
    )
  return toDestination<Item>(flow, {
    name,
    encode: (item) => ({
      time: at(item),
      key: Buffer.from(item.key),
      value: takesBack(outlet, item) ? null : Buffer.from(encode(item)),
      headers: messageHeaders(item),
    }),
    open: () => destination(name),
  })
}

/** An event time need not be a whole number. */
export function messageTime({ at }: Item): number {
  return Math.floor(at)
}

export function messageHeaders({ revision, count }: Item): readonly RecordHeader[] {
  return revision === 0 ? [] : [{ key: 'count', value: Buffer.from([count % 256, 0xff]) }]
}

function tupleOf(item: Item): Row {
  return fields.map((field) => item[field])
}

function tableOf(outlet: OutletPlan): Table<Row> {
  const columns = fields.map((field, i): Column<Row> => {
    const cellOf = (row: Row) => (Array.isArray(row) ? (row[i] as string | number) : (row as Item)[field])
    if (field === 'n') return { name: 'n', type: 'integer', of: (row) => numberOf(outlet, cellOf, row) }
    // An id or a time need not be a whole number.
    if (field === 'id' || field === 'at') return { name: field, type: 'text', of: (row) => String(cellOf(row)) }
    return { name: field, type: field === 'key' ? 'text' : 'integer', of: cellOf }
  })
  const { name } = outlet
  return outlet.mode === 'append'
    ? { name, mode: 'append', columns }
    : { name, mode: 'upsert', key: ['key', 'id'], revision: 'revision', columns }
}

function numberOf({ badColumn }: OutletPlan, cellOf: (row: Row) => string | number, row: Row): ColumnValue {
  const n = cellOf(row)
  if (badColumn === null || Number(n) % residues !== badColumn.on) return n
  if (badColumn.how === 'wrong-type') return `not ${n}`
  throw new Error(`drawn to fail on ${n}`)
}
