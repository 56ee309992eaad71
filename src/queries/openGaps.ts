import type pg from 'pg'

/** The open gaps of a symbol, all together. Times are ms UTC. */
export interface OpenGapCount {
  readonly market: string
  readonly symbol: string
  readonly gaps: number
  readonly missing: number
  /** Of the oldest one. */
  readonly seenAt: number
  readonly fromTime: number
  readonly toTime: number
  /** Of the newest one. */
  readonly reason: string
}

const openGaps = `
SELECT market, symbol, count(*)::float8 AS gaps, sum(missing)::float8 AS missing,
       (extract(epoch FROM min(seen_at)) * 1000)::float8 AS "seenAt",
       (extract(epoch FROM min(from_time)) * 1000)::float8 AS "fromTime",
       (extract(epoch FROM max(to_time)) * 1000)::float8 AS "toTime",
       (array_agg(reason ORDER BY seen_at DESC))[1] AS reason
FROM feed_gap WHERE state = 'open' GROUP BY market, symbol ORDER BY min(seen_at), symbol`

export async function countOpenGaps(client: pg.ClientBase): Promise<readonly OpenGapCount[]> {
  return (await client.query<OpenGapCount>(openGaps)).rows
}
