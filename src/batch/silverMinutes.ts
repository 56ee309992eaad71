import type pg from 'pg'
import type { RowsAtHand, SeriesReader } from '../lake/rowsAtHand.ts'
import type { Candle } from '../market/candle.ts'
import { klineColumns } from '../market/klineEquality.ts'
import type { Market } from '../market/trade.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { BinaryRow, rowAt } from '../sinks/postgres/binaryRow.ts'
import type { CopiedRows, RowPlace, RowReader } from '../sinks/postgres/copiedRows.ts'
import { copyOut } from '../sinks/postgres/copyOut.ts'
import { NumericBytes } from '../sinks/postgres/numericBytes.ts'
import type { BatchWindow } from './batchWindow.ts'
import { type Day, inDay } from './day.ts'

const hourMs = 3_600_000
const dayMs = 86_400_000

/** Minutes of some days of symbols as the server has sent them, day by day and in order of time. */
export interface CopiedMinutes {
  readonly days: readonly Day[]
  readonly rows: CopiedRows
  /** Of each day, where its rows begin; undefined where it has none. */
  readonly starts: readonly (RowPlace | undefined)[]
  /** Of each day, the hours with whose minutes the exchange's own klines came: null for none. */
  readonly beside: readonly (Pick<BatchWindow, 'from' | 'to'> | null)[]
}

/** For the COPY, which takes no parameters itself. */
const setDays = `SELECT set_config('millrace.days', $1, true)`

/** What silver has beside the columns of klines, and what comes behind them. */
export const own = ['vwap', 'source'] as const
/** Of a minute of silver, and of the kline beside it: behind the day and the time. */
const ownFields = klineColumns.length + own.length
/** Whether the kline is the minute, and the kline where it is another one. */
const klineFields = 1 + klineColumns.length
const ofKline = (row: string) => klineColumns.map((name) => `${row}.${name}`).join(', ')
const otherwise = klineColumns.map((name) => `CASE WHEN is_same THEN NULL ELSE kline_${name} END`).join(', ')

/** Each side is found by its key, whatever the planner takes the days to be. Most klines are the minute beside them, and are not sent again. */
const minutesText = `COPY (
  SELECT given.n, beside.* FROM jsonb_to_recordset(current_setting('millrace.days')::jsonb) AS given (n bigint, market text, symbol text, day_ms float8, from_ms float8, to_ms float8)
    CROSS JOIN LATERAL (
      SELECT open_time, ${ofKline('pair')}, ${own.map((name) => `pair.${name}`).join(', ')}, is_same, ${otherwise}
      FROM (
        SELECT open_time, ${ofKline('minute')}, ${own.map((name) => `minute.${name}`).join(', ')}, ${klineColumns.map((name) => `kline.${name} AS kline_${name}`).join(', ')},
          (${ofKline('minute')}) = (${ofKline('kline')}) AS is_same
        FROM (SELECT * FROM silver_klines_1m AS r WHERE r.market = given.market AND r.symbol = given.symbol AND ${inDay}) AS minute
        FULL JOIN (
          SELECT * FROM raw_klines AS r WHERE r.market = given.market AND r.symbol = given.symbol AND r.interval = '1m'
            AND open_time >= timestamptz 'epoch' + from_ms * interval '1 millisecond' AND open_time < timestamptz 'epoch' + to_ms * interval '1 millisecond'
        ) AS kline USING (open_time)
        OFFSET 0
      ) AS pair
      OFFSET 0
    ) AS beside
  ORDER BY given.n, beside.open_time
) TO STDOUT (FORMAT binary)`

/**
 * Asks for the minutes of these days, and for the exchange's own klines beside those that are to be judged.
 * @param judged hours whose minutes are to be judged
 */
export async function copyMinutes(
  client: pg.ClientBase,
  days: readonly Day[],
  judged: readonly BatchWindow[],
  rows: CopiedRows,
): Promise<CopiedMinutes> {
  const beside = days.map(({ market, symbol, day }) => {
    const ofDay = judged.filter(
      (hour) => hour.market === market && hour.symbol === symbol && hour.from >= day && hour.from < day + dayMs,
    )
    if (ofDay.length === 0) return null
    return { from: Math.min(...ofDay.map(({ from }) => from)), to: Math.max(...ofDay.map(({ to }) => to)) }
  })
  const given = days.map(({ market, symbol, day }, n) => {
    const { from, to } = beside[n] ?? { from: day, to: day }
    return { n, market, symbol, day_ms: day, from_ms: from, to_ms: to }
  })
  await client.query(setDays, [JSON.stringify(given)])
  const starts: (RowPlace | undefined)[] = days.map(() => undefined)
  const row = new BinaryRow()
  await copyOut(client, minutesText, (message) => {
    const at = rowAt(message)
    if (at < 0) return
    row.load(message, at)
    starts[row.nextLong()] ??= rows.end
    rows.add(message)
  })
  return { days, rows, starts, beside }
}

/** PostgreSQL counts its microseconds from 2000 on. */
export const ms2000 = 946_684_800_000

/**
 * The minutes in which something was traded, one at a time, each behind the place of its day, without those of blocked hours, whose numbers may be none.
 * @throws ConfigurationError on one that has trades and no volume, of which there is no price by volume
 */
export function* tradedMinutes(
  { days, rows }: CopiedMinutes,
  blocked: ReadonlySet<string>,
): Generator<readonly [n: number, minute: Candle]> {
  const row = new BinaryRow()
  const numeric = new NumericBytes()
  const reader = rows.reader()
  while (reader.next(row)) {
    const n = row.nextLong()
    const day = days[n] as Day
    const openTime = row.nextLong() / 1_000 + ms2000
    const isMinute = row.next()
    if (isMinute && !blocked.has(nameOfHour(day, openTime))) {
      const minute = minuteOf(row, numeric, day, openTime)
      row.skip(own.length + klineFields)
      if (minute.tradeCount > 0) {
        if (minute.volume === 0) throw withoutVolume(minute)
        yield [n, minute]
      }
    } else row.skip(ownFields - 1 + klineFields)
  }
}

function withoutVolume({ market, symbol, openTime, tradeCount }: Candle): ConfigurationError {
  return new ConfigurationError(
    `the minute of ${symbol} (${market}) at ${new Date(openTime).toISOString()} has ${tradeCount} trades and no volume, so gold cannot be made of it: correct it in raw_klines, or have the pass block such minutes by \`quality\`, as silverBoundary does`,
  )
}

export const silverTable = 'silver_klines_1m'

/** The minutes that were copied, for the lake. */
export function silverAtHand({ days, rows, starts }: CopiedMinutes): RowsAtHand {
  return {
    table: silverTable,
    columns: ['market', 'symbol', 'open_time', ...klineColumns, ...own],
    series: days.map(({ market, symbol, day }, n) => ({
      ...{ day, key: [market, symbol] },
      reader: () => new SilverReader(rows.reader(starts[n]), starts[n] === undefined ? null : n),
    })),
  }
}

/** Walks the minutes of a day, without klines that stand beside none. */
class SilverReader implements SeriesReader {
  readonly #rows: RowReader
  #n: number | null
  #isAtRow = false

  /** @param n the place of the day; null where it has no rows */
  constructor(rows: RowReader, n: number | null) {
    this.#rows = rows
    this.#n = n
  }

  /** Moves to the next minute, whose fields from the time on come next. */
  next(row: BinaryRow): boolean {
    if (this.#isAtRow) row.skip(klineFields)
    while (this.#n !== null && this.#rows.next(row) && row.nextLong() === this.#n) {
      const at = row.end
      row.skip(1)
      this.#isAtRow = row.next()
      if (this.#isAtRow) {
        row.back(at)
        return true
      }
      row.skip(ownFields - 1 + klineFields)
    }
    this.#n = null
    this.#isAtRow = false
    return false
  }
}

/** By a name of its own, for sets of hours. */
export function nameOfHour({ market, symbol }: Pick<Day, 'market' | 'symbol'>, time: number): string {
  return `${market} ${symbol} ${Math.floor(time / hourMs) * hourMs}`
}

/** @param row at the first of the values */
function minuteOf(row: BinaryRow, numeric: NumericBytes, { market, symbol }: Day, openTime: number): Candle {
  const next = () => {
    row.next()
    return numeric.load(row.bytes, row.start)
  }
  // In the order in which they are asked for.
  return {
    market: market as Market,
    symbol,
    interval: '1m',
    openTime,
    open: numeric.load(row.bytes, row.start).fixed8(),
    high: next().fixed8(),
    low: next().fixed8(),
    close: next().fixed8(),
    volume: next().fixed8(),
    quoteVolume: next().fixed16(),
    tradeCount: row.nextLong(),
    takerBuyVolume: next().fixed8(),
    takerBuyQuoteVolume: next().fixed16(),
    // Neither is kept of the longer candles: theirs is made anew, and the exchange tells no ids.
    vwap: 0,
    firstTradeId: 0,
    lastTradeId: 0,
    isClosed: true,
    revision: 1,
  }
}
