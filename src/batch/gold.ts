import { setImmediate } from 'node:timers/promises'
import type pg from 'pg'
import { Subject } from 'rxjs'
import { formatFixed } from '../exact/decimal.ts'
import type { Candle } from '../market/candle.ts'
import { intervalMs } from '../market/interval.ts'
import { klineColumns } from '../market/klineEquality.ts'
import { goldCandles, goldIntervals } from '../pipelines/medallion.ts'
import { collectGarbage } from '../runtime/collectGarbage.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { CopiedRows } from '../sinks/postgres/copiedRows.ts'
import type { BatchWindow } from './batchWindow.ts'
import { type Day, daysAtOnce, daysGiven, dayValues, inChunks, inDay, nameOfDay } from './day.ts'
import { type CopiedMinutes, copyMinutes, nameOfHour, tradedMinutes } from './silverMinutes.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000
/** Less than a millisecond of work. */
const minutesAtOnce = 48
/** What was made of so many such parts is some thirty megabytes, which nobody needs any more and the collector would leave until there are a hundred. */
const partsToCollect = 2

/** The columns that gold keeps of a candle. */
const columns = [...klineColumns, 'vwap'] as const

const list = (prefix: string) => columns.map((name) => `${prefix}${name}`).join(', ')

/** All that there is of these days becomes what is given. */
const replaceText = (table: string) => `
WITH days AS (SELECT * FROM ${daysGiven}),
fresh AS (
  SELECT market, symbol, timestamptz 'epoch' + open_ms * interval '1 millisecond' AS open_time, ${list('')}
  FROM unnest($4::text[], $5::text[], $6::float8[], ${[7, 8, 9, 10, 11, 12].map((n) => `string_to_array($${n}, ',')::numeric[]`).join(', ')}, string_to_array($13, ',')::bigint[], ${[14, 15, 16].map((n) => `string_to_array($${n}, ',')::numeric[]`).join(', ')})
    AS candle (market, symbol, open_ms, ${list('')})
),
known AS (
  SELECT candle.* FROM days CROSS JOIN LATERAL (
    SELECT r.*, r.ctid AS place FROM ${table} AS r WHERE r.market = days.market AND r.symbol = days.symbol AND ${inDay} OFFSET 0
  ) AS candle
),
changes AS MATERIALIZED (
  SELECT market, symbol, open_time, fresh.open IS NULL AS is_gone, known.open IS NULL AS is_new, known.place, ${list('fresh.')}
  FROM fresh FULL JOIN known USING (market, symbol, open_time)
  WHERE (${list('fresh.')}) IS DISTINCT FROM (${list('known.')})
  ORDER BY market, symbol, open_time
),
gone AS (
  DELETE FROM ${table} WHERE ctid = ANY (ARRAY (SELECT place FROM changes WHERE is_gone))
),
added AS (
  INSERT INTO ${table} (market, symbol, open_time, ${list('')})
  SELECT market, symbol, open_time, ${list('')} FROM changes WHERE is_new
),
corrected AS (
  INSERT INTO ${table} (market, symbol, open_time, ${list('')})
  SELECT market, symbol, open_time, ${list('')} FROM changes WHERE NOT is_new AND NOT is_gone
  ON CONFLICT (market, symbol, open_time) DO UPDATE SET (${list('')}) = ROW (${list('excluded.')})
)
SELECT count(*)::float8 AS changed FROM changes`

/**
 * Makes the longer candles of days anew, while the server is at work on something else: the minutes of some days are asked for, and what is made of them is stored when the next ones were read. A candle that a
 * blocked hour is part of is not made: one of the other minutes alone would be wrong without a sign of it. Holds the minutes of a dozen days of a symbol, as bytes, the candles of as many, and as many again that are
 * read meanwhile.
 */
export class GoldMaker {
  readonly #client: pg.ClientBase
  #making: { readonly copied: CopiedMinutes; readonly made: Promise<GoldValues> } | null = null
  #spare: CopiedRows | null = null
  #parts = 0
  /** How many rows are another than before, of those that are stored. */
  changed = 0

  /** @param client in the transaction of the pass */
  constructor(client: pg.ClientBase) {
    this.#client = client
  }

  /** Room for the minutes of the next days, which is given back with them, or is used by nobody else. */
  room(): CopiedRows {
    this.#spare ??= new CopiedRows()
    return this.#spare
  }

  /**
   * Days whose minutes are as they are to be. The statements have ended when this has; the work goes on.
   * @param copied minutes of some of them that are read already, into the room for them
   */
  async make(days: readonly Day[], copied: CopiedMinutes | null): Promise<void> {
    if (copied !== null) await this.#begin(copied)
    const read = new Set(copied?.days.map(nameOf))
    const others = days.filter((day) => !read.has(nameOf(day)))
    for (const some of inChunks(others, daysAtOnce)) {
      const rows = this.room()
      rows.clear()
      await this.#begin(await copyMinutes(this.#client, some, [], rows))
    }
  }

  /** Stores what is not stored yet. */
  async store(): Promise<void> {
    if (this.#making === null) return
    const { copied, made } = this.#making
    const values = await made
    this.#making = null
    for (const interval of goldIntervals) {
      const text = replaceText(quoteIdentifier(`gold_klines_${interval}`))
      const replaced = await this.#client.query<{ changed: number }>(text, [
        ...dayValues(copied.days),
        ...values[interval],
      ])
      this.changed += replaced.rows[0]?.changed ?? 0
    }
    this.#parts += 1
    if (this.#parts % partsToCollect === 0) collectGarbage()
    this.#spare ??= copied.rows
  }

  async #begin(copied: CopiedMinutes): Promise<void> {
    const blocked = await blockedHours(this.#client, copied.days)
    this.#spare = null
    await this.store()
    const made = goldOf(copied, blocked)
    // Whoever stores it learns of a failure.
    made.catch(() => undefined)
    this.#making = { copied, made }
  }
}

type Gold = Record<(typeof goldIntervals)[number], Candle[]>

/** By interval: the columns of its candles, as parameters of SQL. */
type GoldValues = Record<(typeof goldIntervals)[number], readonly unknown[]>

/** The longer candles of these days, without those that a blocked hour is part of. Lets the event loop go on in between, so that the server is given its next statement. */
async function goldOf(copied: CopiedMinutes, blocked: ReadonlySet<string>): Promise<GoldValues> {
  const rollup = new Rollup()
  let minutes = 0
  for (const minute of tradedMinutes(copied, blocked)) {
    rollup.add(minute)
    minutes += 1
    if (minutes % minutesAtOnce === 0) await setImmediate()
  }
  rollup.end()
  const values: Partial<GoldValues> = {}
  for (const interval of goldIntervals) {
    values[interval] = candleValues(rollup.made[interval].filter((candle) => !isBlocked(candle, blocked)))
    await setImmediate()
  }
  return values as GoldValues
}

/** Makes the longer candles of minutes, those of each day by themselves: no candle is longer. Holds what it has made, and the minutes of the candles that are open. */
class Rollup {
  readonly made: Gold = { '5m': [], '15m': [], '1h': [], '4h': [], '1d': [] }
  #market: string | null = null
  #symbol: string | null = null
  #day = 0
  #silver = new Subject<Candle>()

  /** @param minute day by day, in order of time */
  add(minute: Candle): void {
    const day = Math.floor(minute.openTime / dayMs)
    if (day !== this.#day || minute.symbol !== this.#symbol || minute.market !== this.#market) this.#begin(minute, day)
    this.#silver.next(minute)
  }

  end(): void {
    this.#silver.complete()
  }

  #begin({ market, symbol }: Candle, day: number): void {
    this.end()
    this.#market = market
    this.#symbol = symbol
    this.#day = day
    this.#silver = new Subject<Candle>()
    const candles = goldCandles(this.#silver)
    for (const interval of goldIntervals) candles[interval].subscribe((candle) => this.made[interval].push(candle))
  }
}

const blockedText = `SELECT market, symbol, (extract(epoch FROM from_time) * 1000)::float8 AS "from" FROM blocked_window JOIN ${daysGiven} USING (market, symbol)
WHERE from_time >= timestamptz 'epoch' + day_ms * interval '1 millisecond' AND from_time < timestamptz 'epoch' + (day_ms + ${dayMs}) * interval '1 millisecond'`

async function blockedHours(client: pg.ClientBase, days: readonly Day[]): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<Omit<BatchWindow, 'to'>>(blockedText, dayValues(days))
  return new Set(rows.map((hour) => nameOfHour(hour, hour.from)))
}

function isBlocked(candle: Candle, blocked: ReadonlySet<string>): boolean {
  if (blocked.size === 0) return false
  const { openTime, interval } = candle
  const to = openTime + intervalMs[interval]
  for (let hour = Math.floor(openTime / hourMs) * hourMs; hour < to; hour += hourMs) {
    if (blocked.has(nameOfHour(candle, hour))) return true
  }
  return false
}

/** Numbers as one text, which the driver need not look through for what would have to be quoted. */
function candleValues(candles: readonly Candle[]): readonly unknown[] {
  const text8 = (of: (candle: Candle) => number | bigint) =>
    candles.map((candle) => formatFixed(of(candle), 8, 8)).join(',')
  const text16 = (of: (candle: Candle) => bigint) => candles.map((candle) => formatFixed(of(candle), 16, 16)).join(',')
  return [
    candles.map(({ market }) => market),
    candles.map(({ symbol }) => symbol),
    candles.map(({ openTime }) => openTime),
    text8(({ open }) => open),
    text8(({ high }) => high),
    text8(({ low }) => low),
    text8(({ close }) => close),
    text8(({ volume }) => volume),
    text16(({ quoteVolume }) => quoteVolume),
    candles.map(({ tradeCount }) => tradeCount).join(','),
    text8(({ takerBuyVolume }) => takerBuyVolume),
    text16(({ takerBuyQuoteVolume }) => takerBuyQuoteVolume),
    text8(({ vwap }) => vwap),
  ]
}

function nameOf({ day, ...of }: Day): string {
  return nameOfDay({ ...of, from: day })
}
