import type pg from 'pg'
import type { Candle } from '../market/candle.ts'
import { klineColumns } from '../market/klineEquality.ts'
import { goldIntervals } from '../pipelines/medallion.ts'
import { BinaryRow } from '../sinks/postgres/binaryRow.ts'
import { BinaryRows } from '../sinks/postgres/binaryRows.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { CopiedRows } from '../sinks/postgres/copiedRows.ts'
import { copyIn } from '../sinks/postgres/copyIn.ts'
import { copyOut } from '../sinks/postgres/copyOut.ts'
import { type Day, inDay } from './day.ts'
import { ms2000 } from './silverMinutes.ts'

type GoldInterval = (typeof goldIntervals)[number]

/** The columns that gold keeps of a candle. */
const columns = ['market', 'symbol', 'open_time', ...klineColumns, 'vwap'] as const
const list = columns.join(', ')
const tableOf = (interval: GoldInterval) => quoteIdentifier(`gold_klines_${interval}`)

/** For the COPY, which takes no parameters itself. */
const setDays = `SELECT set_config('millrace.days', $1, true)`

const knownOf = (interval: GoldInterval, place: number) => `
  SELECT ${place}::bigint, given.n, candle.* FROM given CROSS JOIN LATERAL (
    SELECT open_time AS time, ${list} FROM ${tableOf(interval)} AS r WHERE r.market = given.market AND r.symbol = given.symbol AND ${inDay} OFFSET 0
  ) AS candle`

/** All that there is of some days, length by length: behind the places of the length and the day, and the time. */
const knownText = `COPY (
  WITH given AS (SELECT * FROM jsonb_to_recordset(current_setting('millrace.days')::jsonb) AS given (n bigint, market text, symbol text, day_ms float8))
  ${goldIntervals.map(knownOf).join('\n  UNION ALL')}
  ORDER BY 1, 2, 3
) TO STDOUT (FORMAT binary)`

/** Each is found by its key, whatever the planner takes them to be. */
const deleteText = (interval: GoldInterval) => `DELETE FROM ${tableOf(interval)} WHERE ctid = ANY (ARRAY (
  SELECT known.ctid FROM unnest($1::text[], $2::text[], $3::float8[]) AS gone (market, symbol, open_ms) CROSS JOIN LATERAL (
    SELECT r.ctid FROM ${tableOf(interval)} AS r WHERE r.market = gone.market AND r.symbol = gone.symbol AND r.open_time = timestamptz 'epoch' + open_ms * interval '1 millisecond' OFFSET 0
  ) AS known
))`

const insertText = (interval: GoldInterval) => `COPY ${tableOf(interval)} (${list}) FROM STDIN (FORMAT binary)`

/** Candles of one length, in the bytes of their rows. */
class CandleRows {
  readonly rows = new BinaryRows()
  /** By row: the place of its day, and when it begins. */
  readonly days: number[] = []
  readonly times: number[] = []

  add(n: number, candle: Candle): void {
    const { rows } = this
    this.days.push(n)
    this.times.push(candle.openTime)
    rows.beginRow(columns.length)
    rows.text(candle.market)
    rows.text(candle.symbol)
    rows.long((candle.openTime - ms2000) * 1_000)
    rows.fixed8(candle.open)
    rows.fixed8(candle.high)
    rows.fixed8(candle.low)
    rows.fixed8(candle.close)
    rows.fixed8(candle.volume)
    rows.fixed16(candle.quoteVolume)
    rows.long(candle.tradeCount)
    rows.fixed8(candle.takerBuyVolume)
    rows.fixed16(candle.takerBuyQuoteVolume)
    rows.fixed8(candle.vwap)
  }

  clear(): void {
    this.rows.clear()
    this.days.length = 0
    this.times.length = 0
  }
}

/** What becomes of the table of one length. */
interface Changes {
  /** Rows of ours that are not there as they are. */
  readonly added: number[]
  /** Rows of the table that are not to be there as they are. */
  readonly gone: { readonly day: Day; readonly openTime: number }[]
  readonly changed: number
}

/**
 * The candles of gold of some days, as rows. What is stored already, to the byte, is not touched. Holds the bytes of the rows and, while they are stored, of those that are known.
 */
export class GoldRows {
  readonly #candles = goldIntervals.map(() => new CandleRows())
  readonly #known = new CopiedRows()

  /**
   * @param n the place of its day
   * @param candle those of one length come in the order of the days, and of their time
   */
  add(n: number, candle: Candle): void {
    this.#candles[goldIntervals.indexOf(candle.interval as GoldInterval)]?.add(n, candle)
  }

  clear(): void {
    for (const candles of this.#candles) candles.clear()
  }

  /**
   * All that there is of these days becomes what was added. Gives how many candles are another than before.
   * @param client in a transaction; nobody else writes to gold
   */
  async store(client: pg.ClientBase, days: readonly Day[]): Promise<number> {
    const given = days.map(({ market, symbol, day }, n) => ({ n, market, symbol, day_ms: day }))
    await client.query(setDays, [JSON.stringify(given)])
    this.#known.clear()
    await copyOut(client, knownText, (message) => this.#known.add(message))
    let changed = 0
    for (const [place, { added, gone, ...counts }] of this.#compare(days).entries()) {
      const interval = goldIntervals[place] as GoldInterval
      if (gone.length > 0) {
        const markets = gone.map(({ day }) => day.market)
        const symbols = gone.map(({ day }) => day.symbol)
        await client.query(deleteText(interval), [markets, symbols, gone.map(({ openTime }) => openTime)])
      }
      const rows = this.#candles[place]?.rows
      if (added.length > 0 && rows !== undefined) await copyIn(client, insertText(interval), [rows.copyBytes(added)])
      changed += counts.changed
    }
    return changed
  }

  /** By length. Both sides come in the same order. */
  #compare(days: readonly Day[]): readonly Changes[] {
    const row = new BinaryRow()
    const reader = this.#known.reader()
    const known = { row, place: 0, n: 0, openTime: 0, start: 0, isThere: false }
    const next = () => {
      known.isThere = reader.next(row)
      if (!known.isThere) return
      known.place = row.nextLong()
      known.n = row.nextLong()
      known.openTime = row.nextLong() / 1_000 + ms2000
      known.start = row.end
      row.skip(columns.length)
    }
    next()
    return this.#candles.map(({ rows, days: places, times }, place): Changes => {
      const added: number[] = []
      const gone: Changes['gone'][number][] = []
      let changed = 0
      const drop = () => {
        gone.push({ day: days[known.n] as Day, openTime: known.openTime })
        changed += 1
        next()
      }
      for (let i = 0; i < rows.count; i++) {
        const [n, openTime] = [places[i] as number, times[i] as number]
        const isBefore = () => known.n < n || (known.n === n && known.openTime < openTime)
        while (known.isThere && known.place === place && isBefore()) drop()
        const isKnown = known.isThere && known.place === place && known.n === n && known.openTime === openTime
        if (isKnown && rows.isSame(i, row.bytes, known.start, row.end)) next()
        else {
          added.push(i)
          if (isKnown) drop()
          else changed += 1
        }
      }
      while (known.isThere && known.place === place) drop()
      return { added, gone, changed }
    })
  }
}
