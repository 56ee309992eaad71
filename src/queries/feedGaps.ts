import type pg from 'pg'

/** Trades that a feed knows to be missing, or to have been. Times are ms UTC. */
export interface StoredFeedGap {
  readonly market: string
  readonly symbol: string
  readonly fromTime: number
  readonly toTime: number
  readonly state: string
  /** How many trades. */
  readonly missing: number
  readonly reason: string
  readonly seenAt: number
  readonly filledAt: number | null
}

const columns = `market, symbol, (extract(epoch FROM from_time) * 1000)::float8 AS "fromTime",
  (extract(epoch FROM to_time) * 1000)::float8 AS "toTime", state, missing::float8 AS missing, reason,
  (extract(epoch FROM seen_at) * 1000)::float8 AS "seenAt", (extract(epoch FROM filled_at) * 1000)::float8 AS "filledAt"`

const newest = `SELECT ${columns} FROM feed_gap ORDER BY (state = 'open') DESC, seen_at DESC, symbol LIMIT $1`

const ofSymbol = `SELECT ${columns} FROM feed_gap
WHERE market = $1 AND symbol = $2 AND to_time >= to_timestamp($3::float8 / 1000) AND state <> 'filled' ORDER BY from_time DESC LIMIT 500`

/** The open ones first, then the newest. */
export async function newestGaps(client: pg.Pool | pg.ClientBase, limit: number): Promise<readonly StoredFeedGap[]> {
  return (await client.query<StoredFeedGap>(newest, [limit])).rows
}

/**
 * Those of a symbol that are not filled and reach beyond a time, the newest 500.
 * @param from ms UTC
 */
export async function gapsOf(
  client: pg.Pool | pg.ClientBase,
  series: { readonly market: string; readonly symbol: string },
  from: number,
): Promise<readonly StoredFeedGap[]> {
  return (await client.query<StoredFeedGap>(ofSymbol, [series.market, series.symbol, from])).rows
}
