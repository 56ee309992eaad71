import type pg from 'pg'
import { type Interval, intervalMs } from '../market/interval.ts'
import { countsOf, differingColumns, type KlineColumn, klineColumns } from '../market/klineEquality.ts'
import { candleTable } from '../pipelines/candleTable.ts'
import type { RowText } from '../runtime/store/table.ts'
import { quoteIdentifier } from '../sinks/postgres/connection.ts'
import { type Compared, compareRows, type Difference, type TimeRange } from './difference.ts'

type Cells = Readonly<Record<string, string | null>>
/** A kline, or a candle, none of whose figures is null. */
type KlineCells = Readonly<Record<KlineColumn, string>>

/** Whose candles are compared, and of which time. */
export interface CandleScope {
  readonly pipeline: string
  readonly topic: string
  readonly interval: Interval
  /** Of open times: candles that lie wholly in it. */
  readonly range: TimeRange
}

const columns = (interval: Interval) => candleTable(interval).columns.map(({ name }) => name)
const lastOpen = ({ interval, range }: CandleScope) => range.to - intervalMs[interval]

const at = (parameter: string) => `timestamptz 'epoch' + ${parameter} * interval '1 millisecond'`
const isoTime = (column: string) =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ${quoteIdentifier('open_time')}`

const storedText = (interval: Interval) => `
SELECT ${columns(interval)
  .map((name) => (name === 'open_time' ? isoTime('candle.open_time') : `candle.${quoteIdentifier(name)}::text`))
  .join(', ')}
FROM ${quoteIdentifier(candleTable(interval).name)} AS candle
LEFT JOIN row_owner AS owner ON owner.id = candle.row_owner
WHERE candle.is_closed AND candle.open_time >= ${at('$1')} AND candle.open_time <= ${at('$2')}
  AND (owner.id IS NULL OR (owner.pipeline = $3 AND owner.topic = $4))`

/** Candles as text, by market, symbol and open time. */
export async function storedCandles(pool: pg.Pool, scope: CandleScope): Promise<ReadonlyMap<string, Cells>> {
  const { rows } = await pool.query<Record<string, string | null>>(storedText(scope.interval), [
    scope.range.from,
    lastOpen(scope),
    scope.pipeline,
    scope.topic,
  ])
  return new Map(rows.map((row) => [nameOf(row), row]))
}

/** The same of rows that were made. */
export function madeCandles(scope: CandleScope, rows: Iterable<RowText>): ReadonlyMap<string, Cells> {
  const names = columns(scope.interval)
  const cells = [...rows].map((row) => Object.fromEntries(names.map((name, i) => [name, plain(row[i] ?? null)])))
  const isInRange = ({ open_time }: Cells) => {
    const time = Date.parse(open_time ?? '')
    return time >= scope.range.from && time <= lastOpen(scope)
  }
  return new Map(cells.filter(isInRange).map((row) => [nameOf(row), row]))
}

/** Compares what is stored with what was made. */
export function compareCandles(
  interval: Interval,
  stored: ReadonlyMap<string, Cells>,
  made: ReadonlyMap<string, Cells>,
): Compared {
  return compareRows(candleTable(interval).name, stored, made)
}

const klinesText = `SELECT market, symbol, ${isoTime('open_time')}, ${klineColumns.map((name) => `${name}::text`).join(', ')}
FROM raw_klines WHERE interval = $1 AND open_time >= ${at('$2')} AND open_time <= ${at('$3')}`

/**
 * Compares stored candles with the exchange's klines. Of a symbol that was listened to, one is missed from the first candle that there is to the last; a kline without trades has no candle.
 * @param known rows that differ from what the archive makes of them, of which that is told
 */
export async function compareKlines(
  pool: pg.Pool,
  scope: CandleScope,
  stored: ReadonlyMap<string, Cells>,
  known: ReadonlySet<string>,
): Promise<Compared> {
  const { rows } = await pool.query<Record<string, string | null>>(klinesText, [
    scope.interval,
    scope.range.from,
    lastOpen(scope),
  ])
  const spans = spansOf(stored.values())
  const table = candleTable(scope.interval).name
  const differences: Difference[] = []
  let compared = 0
  for (const kline of rows) {
    const row = nameOf(kline)
    const candle = stored.get(row)
    const span = spans.get(`${kline.market} ${kline.symbol}`)
    const isMissed = span !== undefined && (kline.open_time ?? '') >= span.first && (kline.open_time ?? '') <= span.last
    if (candle === undefined && (kline.trade_count === '0' || !isMissed)) continue
    compared += 1
    if (known.has(row)) continue
    const columns =
      candle === undefined
        ? { candle: [null, `${kline.trade_count ?? 'some'} trades`] as const }
        : differingFrom(kline as KlineCells, candle as KlineCells)
    if (columns !== null) differences.push({ kind: 'exchange', table, row, columns })
  }
  return { compared, differences: differences.sort((a, b) => (a.row < b.row ? -1 : 1)) }
}

function spansOf(candles: Iterable<Cells>): ReadonlyMap<string, { readonly first: string; readonly last: string }> {
  const spans = new Map<string, { first: string; last: string }>()
  for (const { market, symbol, open_time } of candles) {
    const time = open_time ?? ''
    const span = spans.get(`${market} ${symbol}`)
    if (span === undefined) spans.set(`${market} ${symbol}`, { first: time, last: time })
    else if (time < span.first) span.first = time
    else if (time > span.last) span.last = time
  }
  return spans
}

/** By the rule of all comparisons with the exchange; null where they are the same. */
function differingFrom(kline: KlineCells, candle: KlineCells): Difference['columns'] | null {
  const differing = differingColumns(countsOf(candle), countsOf(kline))
  if (differing.length === 0) return null
  return Object.fromEntries(differing.map((name) => [name, [candle[name], kline[name]]]))
}

function nameOf({ market, symbol, open_time }: Cells): string {
  return `${market} ${symbol} ${open_time}`
}

/** As PostgreSQL writes booleans. */
function plain(text: string | null): string | null {
  return text === 't' ? 'true' : text === 'f' ? 'false' : text
}
