import type pg from 'pg'
import type { DrawnRecord } from './records.ts'

/** A record where it lies, and whether a broken batch holds it. */
export interface PlacedRecord extends DrawnRecord {
  readonly offset: number
  readonly isInBroken: boolean
}

/** Compares what is in the tables with what has to be there. */
export async function verify(
  pool: pg.Pool,
  topic: string,
  records: readonly PlacedRecord[],
  skipped: readonly { readonly fromOffset: number; readonly toOffset: number }[],
): Promise<readonly string[]> {
  const rows = (await pool.query<{ id: number }>('SELECT DISTINCT id::float8 AS id FROM sound')).rows
  const ids = new Set(rows.map(({ id }) => id))
  const letters = (
    await pool.query<{ offset: number; reason: string; detail: string; bytes: number }>(
      `SELECT "offset"::float8 AS "offset", reason, detail, coalesce(length(payload), 0)::float8 AS bytes FROM dead_letter WHERE topic = $1`,
      [topic],
    )
  ).rows
  const setAside = new Map(letters.map((letter) => [letter.offset, letter]))
  const problems: string[] = []
  for (const { offset, soundId, kind, record, isInBroken } of records) {
    const where = `record ${offset} (${kind}, ${record.value?.length ?? 0} bytes)`
    const isLeftOut = skipped.some(({ fromOffset, toOffset }) => fromOffset <= offset && offset < toOffset)
    if (isLeftOut && !isInBroken) problems.push(`${where} was left out with a batch that it is not in`)
    if (isLeftOut || isInBroken) continue
    const hasRows = soundId !== null && ids.has(soundId)
    const expectsRows = soundId !== null && rowsOf(record.value) > 0
    const letter = setAside.get(offset)
    if (expectsRows && !hasRows)
      problems.push(
        `${where} has no effect${letter === undefined ? '' : `: ${letter.reason}: ${letter.detail.slice(0, 200)}`}`,
      )
    if (soundId === null && (letter === undefined || letter.reason === '' || letter.detail === ''))
      problems.push(`${where} has no dead letter with a reason`)
    if (letter !== undefined && soundId !== null)
      problems.push(`${where} is sound and was set aside: ${letter.reason}: ${letter.detail.slice(0, 200)}`)
  }
  return problems
}

function rowsOf(value: Uint8Array | null): number {
  return (JSON.parse(Buffer.from(value ?? []).toString()) as { rows?: number }).rows ?? 1
}
