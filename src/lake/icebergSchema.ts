import { ConfigurationError } from '../runtime/errors.ts'
import { fullName, type LakeTable } from './lakeTable.ts'

/** A schema as the metadata of an Iceberg table has it. Field ids count from 1 in the order of the columns, and never change. */
export interface IcebergSchema {
  readonly type: 'struct'
  readonly 'schema-id': number
  readonly fields: readonly {
    readonly id: number
    readonly name: string
    readonly required: boolean
    readonly type: string
  }[]
  readonly 'identifier-field-ids': readonly number[]
}

/** How files are cut, as the metadata has it. */
export interface IcebergSpec {
  readonly 'spec-id': 0
  readonly fields: readonly {
    readonly name: string
    readonly transform: 'day'
    readonly 'source-id': number
    readonly 'field-id': number
  }[]
}

/** Partition fields count from here. @see https://iceberg.apache.org/spec/#partition-specs */
const firstPartitionField = 1_000

/**
 * The schemas of a table with that of the descriptor as the last: the same list where it is the last already.
 * @param known the schemas that the table has had, oldest first
 * @throws ConfigurationError where the descriptor is not the last one with optional columns added at its end
 */
export function schemasWith(table: LakeTable, known: readonly IcebergSchema[]): readonly IcebergSchema[] {
  const fields = table.columns.map(({ name, type, isOptional }, i) => ({
    id: i + 1,
    name,
    required: !isOptional,
    type: type.replace(',', ', '),
  }))
  const keys = table.key.map((name) => table.columns.findIndex((column) => column.name === name) + 1)
  const wanted: IcebergSchema = { type: 'struct', 'schema-id': known.length, fields, 'identifier-field-ids': keys }
  const last = known.at(-1)
  if (last === undefined) return [wanted]
  const misfit = misfitOf(last, wanted)
  if (misfit !== null) {
    throw new ConfigurationError(
      `lake table ${fullName(table)}: ${misfit}. A descriptor may add optional columns at the end and change nothing else; give a table of other columns another name.`,
    )
  }
  return fields.length === last.fields.length ? known : [...known, wanted]
}

/** Which of the changes between two schemas no reader could follow; null where there is none. */
function misfitOf(last: IcebergSchema, wanted: IcebergSchema): string | null {
  // The database does not keep the order of names in JSON, so that fields are compared by what is shown of them.
  const shown = ({ name, required, type }: IcebergSchema['fields'][number]) =>
    `${name}, ${type}${required ? '' : ', optional'}`
  for (const [i, field] of last.fields.entries()) {
    const now = wanted.fields[i]
    if (now === undefined) return `the descriptor lacks a column of it (${shown(field)})`
    if (shown(now) !== shown(field))
      return `column ${i + 1} of it is (${shown(field)}), and of the descriptor (${shown(now)})`
  }
  const added = wanted.fields.slice(last.fields.length).find(({ required }) => required)
  if (added !== undefined) return `column ${added.name} is new, and not optional`
  const keyOf = (schema: IcebergSchema) =>
    schema['identifier-field-ids'].map((id) => wanted.fields[id - 1]?.name).join(', ') || 'none'
  return keyOf(last) === keyOf(wanted) ? null : `its key is ${keyOf(last)}, and that of the descriptor ${keyOf(wanted)}`
}

/** How the files of a table are cut. */
export function specOf(table: LakeTable): IcebergSpec {
  if (table.day === null) return { 'spec-id': 0, fields: [] }
  const source = table.columns.findIndex(({ name }) => name === table.day) + 1
  return {
    'spec-id': 0,
    fields: [{ name: `${table.day}_day`, transform: 'day', 'source-id': source, 'field-id': firstPartitionField }],
  }
}

/**
 * @param path of a file that the table has
 * @throws ConfigurationError where it is cut otherwise than the descriptor says
 */
export function checkCut(table: LakeTable, path: string): void {
  if (path.startsWith(`data/${dayFolder(table)}`) && path.split('/').length === (table.day === null ? 2 : 3)) return
  throw new ConfigurationError(
    `lake table ${fullName(table)}: its files are cut ${wordOf(/^data\/(.+)_day=/.exec(path)?.[1] ?? null)}, and the descriptor would cut them ${wordOf(table.day)}. Give a table that is cut otherwise another name.`,
  )
}

/** Where the files of a day are, before the day; empty in a table that is not cut. */
export function dayFolder({ day }: LakeTable): string {
  return day === null ? '' : `${day}_day=`
}

function wordOf(day: string | null): string {
  return day === null ? 'by no day' : `by the day of ${day}`
}
