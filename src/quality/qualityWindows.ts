import type pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import { suggest } from '../runtime/suggest.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { findTable } from './foundTable.ts'
import type { Quality } from './quality.ts'
import { mostWindows, type QualityWindow } from './qualityWindow.ts'

/** Which windows: from `from` to before `to` (ms UTC), each `sizeMs` long, the last one shorter where it does not fit. */
export interface WindowRange {
  readonly from: number
  readonly to: number
  readonly sizeMs: number
  /** How far apart the rows of a key are, ms: none of its windows is shorter, for there may be no row in such a one though nothing is missing. As short as it comes, if left out. */
  readonly rowEveryMs?: (key: QualityWindow['key']) => number
}

/**
 * Every window of a range, for every key that the table has at all: a key without a row in some window shows there as what is missing.
 * @throws ConfigurationError where the table or a column of the key is not there, and where there would be too many
 */
export async function qualityWindows(
  client: pg.ClientBase,
  quality: Quality,
  { from, to, sizeMs, rowEveryMs = () => 0 }: WindowRange,
): Promise<readonly QualityWindow[]> {
  const found = await findTable(client, quality.table)
  if (found === null) throw new ConfigurationError(`quality ${quality.name}: there is no table ${quality.table}`)
  const lacking = quality.by.find((column) => !found.has(column))
  if (lacking !== undefined) {
    throw new ConfigurationError(
      `quality ${quality.name}: ${quality.table} has no column ${lacking}${suggest(lacking, [...found.keys()])}`,
    )
  }
  const keys = await keysOf(client, quality)
  const count = keys.length * Math.ceil((to - from) / sizeMs)
  if (count > mostWindows) {
    throw new ConfigurationError(
      `quality ${quality.name}: ${count} windows are too many at once; take a shorter range or longer windows, ${mostWindows} at most`,
    )
  }
  const windows: QualityWindow[] = []
  for (const key of keys) {
    const leastMs = rowEveryMs(key)
    if (to - from < leastMs) continue
    for (let start = from; start < to; ) {
      const end = Math.min(start + Math.max(sizeMs, leastMs), to)
      const isRestTooShort = to - end < leastMs
      windows.push({ key, from: start, to: isRestTooShort ? to : end })
      start = isRestTooShort ? to : end
    }
  }
  return windows
}

/** How many rows are in no window, whatever the range, because they have no key or no time, or one that is infinite: no expectation looks at them. */
export async function countUnplaced(client: pg.ClientBase, { table, by, time }: Quality): Promise<number> {
  const isNull = [...by, time].map((column) => `${quoteIdentifier(column)} IS NULL`)
  const isUnplaced = [...isNull, `${quoteIdentifier(time)}::text IN ('infinity', '-infinity')`].join(' OR ')
  const { rows } = await client.query<{ count: number }>(
    `SELECT count(*)::float8 AS count FROM ${quoteIdentifier(table)} WHERE ${isUnplaced}`,
  )
  return rows[0]?.count ?? 0
}

async function keysOf(client: pg.ClientBase, { table, by }: Quality): Promise<readonly QualityWindow['key'][]> {
  if (by.length === 0) return [{}]
  const columns = by.map((column) => quoteIdentifier(column))
  const { rows } = await client.query<Record<string, string>>(
    `SELECT DISTINCT ${columns.map((column) => `${column}::text AS ${column}`).join(', ')} FROM ${quoteIdentifier(table)}
     WHERE ${columns.map((column) => `${column} IS NOT NULL`).join(' AND ')} ORDER BY ${columns.map((_, i) => i + 1).join(', ')}`,
  )
  return rows
}
