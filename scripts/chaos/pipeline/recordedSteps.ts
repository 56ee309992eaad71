import type pg from 'pg'
import type { LogRecord } from './logRecords.ts'

interface StepRow {
  readonly partition: number
  readonly offsets: readonly string[]
  readonly rest: string
}

const steps = `SELECT partition, ("offset" || others)::text[] AS offsets, jsonb_build_array(sequence, watermark, is_end, clock)::text AS rest
  FROM idle_advance ORDER BY partition, sequence, "offset", others, watermark, is_end, clock`

/**
 * A line for each step of time, with its place counted in records: where a log has offsets without a record, such as those of the ends of transactions, a place before
 * them is the same as one behind them.
 * @param logs what the inputs hold, the leading one first
 */
export async function stepLines(pool: pg.Pool, logs: readonly (readonly LogRecord[])[]): Promise<readonly string[]> {
  const { rows } = await pool.query<StepRow>(steps)
  const offsets = logs.map((log) => Map.groupBy(log, ({ partition }) => partition))
  return rows.map(({ partition, offsets: places, rest }) => {
    const counts = places.map((place, input) => {
      const records = offsets[input]?.get(partition) ?? []
      return records.filter(({ offset }) => offset < Number(place)).length
    })
    return `${partition} behind ${counts.join(' and ')} records ${rest}`
  })
}
