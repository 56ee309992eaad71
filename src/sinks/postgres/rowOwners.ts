import type pg from 'pg'
import type { TableWrite, TaskId } from '../../runtime/store/checkpoint.ts'
import type { ForeignOwner, ForeignRow, RowOwner } from '../../runtime/store/foreignRows.ts'
import { rowKeys } from '../../runtime/store/rowKey.ts'
import type { RowText, UpsertTable } from '../../runtime/store/table.ts'
import { rowText } from './columnText.ts'
import { quoteIdentifier } from './connection.ts'
import { isNotGivenTo, ownerColumn } from './ownerColumn.ts'
import { idOf, prepared } from './statement.ts'
import { columnLiteral } from './tableWriter.ts'

// A task that has committed nothing begins with nothing, so it may take what was given away before.
const claimOwnerText = `WITH newest AS (
  SELECT coalesce(max(id), 0) AS id FROM row_handover
  WHERE NOT EXISTS (SELECT FROM stream_task WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND next_offset IS NOT NULL)
), made AS (
  INSERT INTO row_owner (pipeline, topic, partition, begun_after) SELECT $1, $2, $3, newest.id FROM newest
  WHERE NOT EXISTS (SELECT FROM row_owner WHERE pipeline = $1 AND topic = $2 AND partition = $3) RETURNING id
), begun AS (
  UPDATE row_owner SET begun_after = newest.id, copy_of = NULL FROM newest
  WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND (begun_after <> newest.id OR copy_of IS NOT NULL)
    AND NOT EXISTS (SELECT FROM stream_task WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND next_offset IS NOT NULL)
) SELECT id FROM made UNION ALL SELECT id FROM row_owner WHERE pipeline = $1 AND topic = $2 AND partition = $3`

/** Gives the number of the task in `row_owner`, a new one at its first claim. To be run behind the claim itself, by which claims of one task take turns. */
export const claimOwnerStatement = (task: TaskId) => prepared(claimOwnerText, idOf(task))

const rowsPerLook = 10_000

interface FoundRow {
  readonly place: number
  readonly pipeline: string | null
  readonly topic: string
  readonly partition: number
  readonly isGivenAway: boolean
}

/** Those rows of the writes that belong to another owner than this one, each natural key of a write once. */
export async function foreignRows(
  client: pg.ClientBase,
  writes: readonly TableWrite[],
  owner: number,
): Promise<readonly ForeignRow[]> {
  const found: ForeignRow[] = []
  for (const [write, { table, rows, texts }] of writes.entries()) {
    if (table.mode === 'append') continue
    const keyOf = rowKeys(table)
    const byKey = new Map<string, { row: number; texts: RowText }>()
    for (const [row, value] of rows.entries()) {
      const text = texts?.[row] ?? rowText(table, value)
      byKey.set(keyOf(text), { row, texts: text })
    }
    const distinct = [...byKey]
    for (let start = 0; start < distinct.length; start += rowsPerLook) {
      const part = distinct.slice(start, start + rowsPerLook)
      const { rows: foreign } = await client.query<FoundRow>(
        lookFor(
          table,
          part.map(([, { texts }]) => texts),
          owner,
        ),
      )
      for (const { place, pipeline, topic, partition, isGivenAway } of foreign) {
        const [key, { row }] = part[place - 1] as [string, { row: number }]
        found.push({
          write,
          row,
          key,
          owner: pipeline === null ? null : ownerOf({ pipeline, topic, partition }, isGivenAway),
        })
      }
    }
  }
  return found
}

function ownerOf(owner: RowOwner, isGivenAway: boolean): ForeignOwner {
  return isGivenAway ? { ...owner, isGivenAway } : owner
}

function lookFor(table: UpsertTable<unknown>, rows: readonly RowText[], owner: number) {
  const columns = table.key.map((name) => table.columns.findIndex((column) => column.name === name))
  const types = columns.map((column) => table.columns[column]!.type)
  const names = table.key.map((_, i) => `k${i}`)
  const text =
    `SELECT w.place::integer AS place, coalesce(o.pipeline, h.from_pipeline) AS pipeline, coalesce(o.topic, h.from_topic) AS topic, ` +
    `coalesce(o.partition, h.from_partition) AS partition, h.id IS NOT NULL AS "isGivenAway" FROM unnest(${types.map((type, i) => `$${i + 1}::${type}[]`).join(', ')}) ` +
    `WITH ORDINALITY AS w (${names.join(', ')}, place) ` +
    `JOIN ${quoteIdentifier(table.name)} AS t ON ${table.key.map((name, i) => `t.${quoteIdentifier(name)} = w.k${i}`).join(' AND ')} ` +
    `LEFT JOIN row_owner AS o ON o.id = t.${quoteIdentifier(ownerColumn)} LEFT JOIN row_handover AS h ON h.id = -t.${quoteIdentifier(ownerColumn)} ` +
    `WHERE t.${quoteIdentifier(ownerColumn)} <> $${names.length + 1} AND ${isNotGivenTo(`t.${quoteIdentifier(ownerColumn)}`, `$${names.length + 1}`)} ORDER BY w.place`
  return prepared(text, [...columns.map((column, i) => columnLiteral(rows, column, types[i]!)), owner])
}
