import type pg from 'pg'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { Table } from '../../runtime/store/table.ts'
import { quoteIdentifier } from './connection.ts'
import { asMillraceError } from './errors.ts'
import { ownerColumn } from './ownerColumn.ts'
import { distinctTables } from './tableDescriptor.ts'

/** A pipeline, and the topic that leads it. */
export interface RowWriter {
  readonly pipeline: string
  readonly topic: string
}

/** A pipeline that is about to start. */
export interface StartingWriter extends RowWriter {
  /** True where it begins at another place than the earliest record that is left. */
  readonly beginsInside: boolean
}

interface OtherWriter extends RowWriter {
  readonly table: string
}

const othersText = `SELECT table_name AS "table", pipeline, topic FROM row_writer
WHERE table_name = ANY ($1) AND (pipeline, topic) <> ($2, $3) ORDER BY table_name, pipeline, topic`

const registerText = `INSERT INTO row_writer (table_name, pipeline, topic)
SELECT name, $2, $3 FROM unnest($1::text[]) AS name ON CONFLICT DO NOTHING RETURNING table_name AS "table"`

/** Counting ends here: a person needs to know whether they are few. */
const mostCounted = 1_000

/**
 * Notes that the pipeline is about to write the upsert tables of its outlets, which exist.
 *
 * Refuses a table that holds rows of another pipeline, unless its descriptor says `isShared`: their keys are most likely the same, and all that the pipeline has to say
 * of them would be set aside. Rows of the same pipeline from another topic are not refused, for the keys of two topics mostly differ; they are told.
 * @returns what to tell about the tables, in words for people
 * @throws ConfigurationError with the tables, whose rows they hold, how many, and what to do
 */
export async function takeTables(
  pool: pg.Pool,
  schema: string,
  { pipeline, topic, beginsInside }: StartingWriter,
  tables: readonly Table<never>[],
): Promise<readonly string[]> {
  const upserts = distinctTables(tables).filter((table) => table.mode === 'upsert')
  if (upserts.length === 0) return []
  const names = upserts.map(({ name }) => name)
  try {
    const { rows: others } = await pool.query<OtherWriter>(othersText, [names, pipeline, topic])
    const isForeign = (other: OtherWriter) =>
      other.pipeline !== pipeline && upserts.some(({ name, isShared }) => name === other.table && isShared !== true)
    await refuseForeign(pool, schema, pipeline, others.filter(isForeign))
    const { rows: registered } = await pool.query<{ table: string }>(registerText, [names, pipeline, topic])
    const known = names.filter((name) => !registered.some(({ table }) => table === name))
    return [
      ...toldOf(
        { pipeline, topic },
        others.filter((other) => other.pipeline === pipeline),
      ),
      ...(beginsInside && known.length > 0 ? [insideOf(known)] : []),
    ]
  } catch (error) {
    throw asMillraceError(error, `look whose rows are in the tables of pipeline ${pipeline}`)
  }
}

async function refuseForeign(
  pool: pg.Pool,
  schema: string,
  pipeline: string,
  writers: readonly OtherWriter[],
): Promise<void> {
  const lines: string[] = []
  const remedies: string[] = []
  for (const table of new Set(writers.map((writer) => writer.table))) {
    const whose = [...new Set(writers.filter((writer) => writer.table === table).map((writer) => writer.pipeline))]
    for (const { pipeline: other, count } of await foreignCounts(pool, table, whose)) {
      lines.push(`- table ${table} has ${count > mostCounted ? 'more than 1,000' : count} rows of pipeline ${other}`)
      remedies.push(`  millrace state own ${table} --of ${other} --to ${pipeline} --schema ${schema}`)
    }
  }
  if (lines.length === 0) return
  throw new ConfigurationError(
    [
      `schema ${schema} has rows of other pipelines in the tables of pipeline ${pipeline}, which does not replace what another has written:`,
      ...lines,
      'Nothing was changed. Give the pipeline tables or a schema of its own; or, where each writes keys of its own, say `isShared: true` in the descriptor of the table; ' +
        `or, where ${pipeline} is to go on with these rows, stop the other and hand them over (with --yes; without, it says how many that would be):`,
      '',
      ...remedies,
    ].join('\n'),
    { pipeline },
  )
}

/** How many rows of the table each of the pipelines has, looked at as far as one more than is counted; those that have none are left out. */
async function foreignCounts(pool: pg.Pool, table: string, pipelines: readonly string[]) {
  const { rows } = await pool.query<{ pipeline: string; count: number }>(
    `SELECT o.pipeline, count(*)::integer AS count FROM (
       SELECT ${quoteIdentifier(ownerColumn)} AS id FROM ${quoteIdentifier(table)}
       WHERE ${quoteIdentifier(ownerColumn)} IN (SELECT id FROM row_owner WHERE pipeline = ANY ($1)) LIMIT $2
     ) AS found JOIN row_owner AS o ON o.id = found.id GROUP BY o.pipeline ORDER BY o.pipeline`,
    [pipelines, mostCounted + 1],
  )
  return rows
}

function toldOf({ pipeline, topic }: RowWriter, others: readonly OtherWriter[]): readonly string[] {
  if (others.length === 0) return []
  const topics = [...new Set(others.map((other) => other.topic))]
  const tables = [...new Set(others.map((other) => other.table))]
  return [
    `${listed(tables)} may hold rows from ${listed(topics)} too: a row that both have values for stays with the topic that wrote it first, and what ${topic} has for it is set aside ` +
      `as key-elsewhere. Where ${topic} takes the place of another, it can be given those rows before it begins: millrace state own --of ${pipeline}/${topics[0]} --to nobody. Tapes that continue each other are read as one: --tape FIRST --tape SECOND.`,
  ]
}

function insideOf(tables: readonly string[]): string {
  return (
    `${listed(tables)} may hold rows that this pipeline has made before: it begins behind records that they were made of, and a row that it has values for again, such as the minute in which it begins, is made ` +
    'of what comes from there on alone. --from earliest makes them of all that the log still holds.'
  )
}

const mostListed = 3

function listed(names: readonly string[]): string {
  const shown = names.slice(0, mostListed).join(', ')
  return names.length > mostListed ? `${shown} and ${names.length - mostListed} more` : shown
}
