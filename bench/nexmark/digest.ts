import type pg from 'pg'
import type { Query } from './oracle.ts'

/** The columns that each query has by its definition, in their order. */
export const columns: Readonly<Record<Query, readonly string[]>> = {
  q0: ['auction', 'bidder', 'price', 'date_time', 'extra'],
  q1: ['auction', 'bidder', 'price', 'date_time', 'extra'],
  q2: ['auction', 'price'],
  q3: ['name', 'city', 'state', 'id'],
  q5: ['auction', 'num', 'starttime', 'endtime'],
  q7: ['auction', 'bidder', 'price', 'date_time', 'extra'],
  q8: ['id', 'name', 'stime'],
  q9: [
    ...['id', 'item_name', 'description', 'initial_bid', 'reserve', 'date_time', 'expires', 'seller', 'category'],
    ...['extra', 'auction', 'bidder', 'price', 'bid_date_time', 'bid_extra'],
  ],
  q11: ['bidder', 'bid_count', 'starttime', 'endtime'],
}

const times = new Set(['date_time', 'expires', 'starttime', 'endtime', 'stime', 'bid_date_time'])

/** How many rows the table of the query has, and the digest of them that `digestOf` gives; times in ms UTC. */
export async function storedRows(
  pool: pg.Pool,
  query: Query,
): Promise<{ readonly rows: number; readonly digest: string }> {
  const texts = columns[query].map((name) => (times.has(name) ? `(extract(epoch FROM ${name}) * 1000)::bigint` : name))
  const { rows } = await pool.query<{ count: number; digest: string }>(
    `SELECT count(*)::float8 AS count, encode(sha256(convert_to(coalesce(string_agg(sum, '' ORDER BY sum COLLATE "C"), ''), 'UTF8')), 'hex') AS digest
     FROM (SELECT md5(concat_ws(E'\\t', ${texts.join(', ')})) AS sum FROM nexmark_${query}) AS rows`,
  )
  return { rows: rows[0]?.count ?? 0, digest: rows[0]?.digest ?? '' }
}
