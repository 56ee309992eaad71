import { map, type Observable } from 'rxjs'
import { Batch } from '../../../runtime/batch.ts'
import { definePipeline, type Pipeline } from '../../../runtime/pipeline.ts'
import type { RecordView } from '../../../runtime/record.ts'
import type { Column, ColumnValue, Table } from '../../../runtime/table.ts'
import { toPostgres } from '../../../sinks/toPostgres.ts'
import { buildGraph, type GraphSurroundings } from './buildGraph.ts'
import { type Item, residues } from './item.ts'
import { allSteps, type GraphPlan, type OutletPlan } from './plan.ts'

type Row = Item | readonly (string | number)[]

/** The topic of the leading input. */
export const leadTopic = 'items'

const fields = ['key', 'id', 'at', 'n', 'revision', 'count'] as const

/** A plan as a pipeline that writes one table an outlet, named after it. */
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
        const rows = outlet.isTuple
          ? flow.pipe(map((value) => (value instanceof Batch ? (value.map(tupleOf) as Batch<Row>) : tupleOf(value))))
          : flow
        return [outlet.name, toPostgres<Row>(rows, tableOf(outlet))]
      }),
    )
  if (others.length === 0) return definePipeline({ ...options, build: (records) => outletsOver([records]) })
  const inputs = Object.fromEntries([
    [leadTopic, { topic: leadTopic }],
    ...others.map(({ topic, idleAfterMs }) => [topic, { topic, ...(idleAfterMs === null ? {} : { idleAfterMs }) }]),
  ]) as Readonly<Record<string, { readonly topic: string }>>
  return definePipeline({ ...options, inputs, build: (streams) => outletsOver(Object.values(streams)) })
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
