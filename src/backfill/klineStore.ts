import type pg from 'pg'
import { formatFixed } from '../exact/decimal.ts'
import { withClient } from '../sinks/postgres/withClient.ts'
import type { KlineSeries, RawKline } from './rawKline.ts'

/** Open times `[from, to)`, ms UTC. */
export interface TimeRange {
  readonly from: number
  readonly to: number
}

/** What became of candles that were written. */
export interface WrittenKlines {
  readonly added: number
  /** Those that were there with other values, and were replaced. */
  readonly changed: number
  readonly unchanged: number
}

export const nothingWritten: WrittenKlines = { added: 0, changed: 0, unchanged: 0 }

export function sumOf(one: WrittenKlines, other: WrittenKlines): WrittenKlines {
  return {
    added: one.added + other.added,
    changed: one.changed + other.changed,
    unchanged: one.unchanged + other.unchanged,
  }
}

/** An archive that was read. */
export interface ReadArchive {
  readonly name: string
  /** Lower-case hex. */
  readonly sha256: string
}

const rowsPerStatement = 1_000

/** Writing what is there already would make a new version of each row: only what differs is touched. */
const upsert = `
INSERT INTO raw_klines AS known (market, symbol, interval, open_time, open, high, low, close, volume, close_time, quote_volume, trade_count, taker_buy_volume,
                                 taker_buy_quote_volume, source)
SELECT $1, $2, $3, timestamptz 'epoch' + open_ms * interval '1 millisecond', open, high, low, close, volume,
       timestamptz 'epoch' + close_ms * interval '1 millisecond', quote_volume, trade_count, taker_buy_volume, taker_buy_quote_volume, $4
FROM unnest($5::bigint[], $6::numeric[], $7::numeric[], $8::numeric[], $9::numeric[], $10::numeric[], $11::bigint[], $12::numeric[], $13::bigint[], $14::numeric[],
            $15::numeric[])
  AS new (open_ms, open, high, low, close, volume, close_ms, quote_volume, trade_count, taker_buy_volume, taker_buy_quote_volume)
ON CONFLICT (market, symbol, interval, open_time) DO UPDATE
SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume, close_time = excluded.close_time,
    quote_volume = excluded.quote_volume, trade_count = excluded.trade_count, taker_buy_volume = excluded.taker_buy_volume,
    taker_buy_quote_volume = excluded.taker_buy_quote_volume, source = excluded.source
WHERE (known.open, known.high, known.low, known.close, known.volume, known.close_time, known.quote_volume, known.trade_count, known.taker_buy_volume,
       known.taker_buy_quote_volume)
   IS DISTINCT FROM
      (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume, excluded.close_time, excluded.quote_volume, excluded.trade_count,
       excluded.taker_buy_volume, excluded.taker_buy_quote_volume)
RETURNING xmax = 0 AS is_new`

const covered = `
SELECT (extract(epoch FROM from_time) * 1000)::float8 AS "from", (extract(epoch FROM to_time) * 1000)::float8 AS "to"
FROM kline_coverage WHERE market = $1 AND symbol = $2 AND interval = $3 ORDER BY from_time`

const dropTouched = `
DELETE FROM kline_coverage
WHERE market = $1 AND symbol = $2 AND interval = $3
  AND from_time <= timestamptz 'epoch' + $5::bigint * interval '1 millisecond'
  AND to_time >= timestamptz 'epoch' + $4::bigint * interval '1 millisecond'
RETURNING (extract(epoch FROM from_time) * 1000)::float8 AS "from", (extract(epoch FROM to_time) * 1000)::float8 AS "to"`

const addCovered = `
INSERT INTO kline_coverage (market, symbol, interval, from_time, to_time)
VALUES ($1, $2, $3, timestamptz 'epoch' + $4::bigint * interval '1 millisecond', timestamptz 'epoch' + $5::bigint * interval '1 millisecond')`

/** The candles of the exchange in PostgreSQL, and what is known of them. */
export class KlineStore {
  readonly #pool: pg.Pool

  constructor(pool: pg.Pool) {
    this.#pool = pool
  }

  /** What of the range REST was never asked for, in order. */
  async missing(series: KlineSeries, range: TimeRange): Promise<readonly TimeRange[]> {
    const { rows } = await withClient(this.#pool, 'read what was fetched before', {}, (client) =>
      client.query<TimeRange>(covered, keyOf(series)),
    )
    const missing: TimeRange[] = []
    let from = range.from
    for (const known of rows) {
      if (known.to <= from) continue
      if (known.from >= range.to) break
      if (known.from > from) missing.push({ from, to: known.from })
      from = known.to
    }
    if (from < range.to) missing.push({ from, to: range.to })
    return missing
  }

  /** Writes a page of REST, or closed candles of the stream, and that they cover the range, in one transaction. */
  addPage(
    series: KlineSeries,
    klines: readonly RawKline[],
    range: TimeRange,
    source: 'rest' | 'stream' = 'rest',
  ): Promise<WrittenKlines> {
    return this.#inTransaction(series, async (client) => {
      const written = await write(client, series, klines, source)
      await cover(client, series, range)
      return written
    })
  }

  /** The content of an archive of that name when it was read last; null for one that never was. */
  async archive(series: KlineSeries, name: string): Promise<string | null> {
    const { rows } = await withClient(this.#pool, 'read which archives were read', {}, (client) =>
      client.query<{ sha256: string }>(
        'SELECT sha256 FROM kline_archive WHERE market = $1 AND symbol = $2 AND interval = $3 AND name = $4',
        [...keyOf(series), name],
      ),
    )
    return rows[0]?.sha256 ?? null
  }

  /** Writes all candles of an archive, and that it was read, in one transaction: half an archive never counts as one. */
  addArchive(
    series: KlineSeries,
    { name, sha256 }: ReadArchive,
    pages: AsyncIterable<readonly RawKline[]>,
  ): Promise<WrittenKlines> {
    return this.#inTransaction(series, async (client) => {
      let written = nothingWritten
      for await (const page of pages) written = sumOf(written, await write(client, series, page, name))
      await client.query(
        `INSERT INTO kline_archive (market, symbol, interval, name, sha256, rows) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (market, symbol, interval, name) DO UPDATE SET sha256 = excluded.sha256, rows = excluded.rows`,
        [...keyOf(series), name, sha256, written.added + written.changed + written.unchanged],
      )
      return written
    })
  }

  /** One writer a series at a time: two backfills of one are slower, and nothing else. */
  #inTransaction<T>(series: KlineSeries, action: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    return withClient(this.#pool, 'write candles of the exchange', {}, async (client) => {
      await client.query('BEGIN')
      try {
        await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
          `millrace klines ${keyOf(series).join(' ')}`,
        ])
        const result = await action(client)
        await client.query('COMMIT')
        return result
      } catch (error) {
        // What went wrong before is what is told; a connection that cannot roll back is closed.
        await client.query('ROLLBACK').catch(() => undefined)
        throw error
      }
    })
  }
}

function keyOf({ market, symbol, interval }: KlineSeries): string[] {
  return [market, symbol, interval]
}

async function write(
  client: pg.ClientBase,
  series: KlineSeries,
  klines: readonly RawKline[],
  source: string,
): Promise<WrittenKlines> {
  let written = nothingWritten
  for (let from = 0; from < klines.length; from += rowsPerStatement) {
    const page = klines.slice(from, from + rowsPerStatement)
    const decimals = (of: (kline: RawKline) => number | bigint | null) =>
      page.map(of).map((units) => (units === null ? null : formatFixed(units, 8, 8)))
    const { rows } = await client.query<{ is_new: boolean }>(upsert, [
      ...keyOf(series),
      source,
      page.map((kline) => kline.openTime),
      decimals((kline) => kline.open),
      decimals((kline) => kline.high),
      decimals((kline) => kline.low),
      decimals((kline) => kline.close),
      decimals((kline) => kline.volume),
      page.map((kline) => kline.closeTime),
      decimals((kline) => kline.quoteVolume),
      page.map((kline) => kline.tradeCount),
      decimals((kline) => kline.takerBuyVolume),
      decimals((kline) => kline.takerBuyQuoteVolume),
    ])
    const added = rows.filter((row) => row.is_new).length
    written = sumOf(written, { added, changed: rows.length - added, unchanged: page.length - rows.length })
  }
  return written
}

async function cover(client: pg.ClientBase, series: KlineSeries, range: TimeRange): Promise<void> {
  const touched = await client.query<TimeRange>(dropTouched, [...keyOf(series), range.from, range.to])
  const from = Math.min(range.from, ...touched.rows.map((row) => row.from))
  const to = Math.max(range.to, ...touched.rows.map((row) => row.to))
  await client.query(addCovered, [...keyOf(series), from, to])
}
