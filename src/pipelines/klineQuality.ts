import { intervals } from '../market/interval.ts'
import { exactColumns, klineGrain, roundedColumns } from '../market/klineEquality.ts'
import { type KlineInterval, klineIntervalMs, klineIntervals } from '../market/klineInterval.ts'
import type { Condition } from '../quality/condition.ts'
import type { Expectation } from '../quality/expectation.ts'
import { type DeclaredColumn, defineQuality, type Quality } from '../quality/quality.ts'
import type { QualityWindow } from '../quality/qualityWindow.ts'

const decimalOf = (digits: string) => (digits === '' ? 'numeric' : `numeric(${digits})`)

/** What the columns of a candle are and mean. @param digits of prices and volumes, and of sums of money, where the table limits them */
function candleColumnsOf(digits = '', sumDigits = ''): Record<string, DeclaredColumn> {
  return {
    market: { type: 'text', description: 'Which order book: spot, usdm, coinbase, or simulated for invented prices.' },
    symbol: { type: 'text', description: 'What is traded, in the spelling of the exchange.' },
    open_time: {
      type: 'timestamp with time zone',
      description: 'Start of the candle, inclusive, in UTC.',
    },
    open: { type: decimalOf(digits), description: 'Price of the first trade.' },
    high: { type: decimalOf(digits), description: 'Highest price.' },
    low: { type: decimalOf(digits), description: 'Lowest price.' },
    close: { type: decimalOf(digits), description: 'Price of the last trade.' },
    volume: { type: decimalOf(digits), description: 'Traded amount of the base asset.' },
    quote_volume: { type: decimalOf(sumDigits), description: 'Sum of price times quantity, in the quote asset.' },
    trade_count: { type: 'bigint', description: 'How many trades there were.' },
    taker_buy_volume: { type: decimalOf(digits), description: 'The part of volume that takers bought.' },
    taker_buy_quote_volume: { type: decimalOf(sumDigits), description: 'The part of quote_volume that takers bought.' },
  }
}

const interval: DeclaredColumn = {
  type: 'text',
  description:
    'Length of the candle in the spelling of the exchange, in which case counts: 1m is a minute, 1M a month.',
}
const vwap = (digits = ''): DeclaredColumn => ({
  type: decimalOf(digits),
  description: 'quote_volume / volume, rounded once to 8 places, half to even.',
})

const compare = (left: string, is: '<=' | '>=' | '=' | '>', right: string): Condition => ({
  left: { column: left },
  is,
  right: { column: right },
})
const than = (left: string, is: '=' | '>' | '>=', value: number): Condition => ({
  left: { column: left },
  is,
  right: { value },
})
/** The exchange tells sums of money with eight places. */
const rounding = { value: klineGrain }

const told = ['market', 'symbol', 'open_time', 'open', 'high', 'low', 'close', 'volume'] as const
/** What one exchange tells of its candles and another does not. */
const notToldByAll = ['quote_volume', 'trade_count', 'taker_buy_volume', 'taker_buy_quote_volume'] as const

/** What holds of every candle, whoever made it. */
const ofPrices: readonly Expectation[] = [
  ...told.map((column): Expectation => ({ kind: 'notNull', column })),
  { kind: 'acceptedValues', column: 'market', values: ['spot', 'usdm', 'coinbase', 'simulated'] },
  { kind: 'matches', column: 'symbol', pattern: '^\\S+$' },
  ...(['open', 'high', 'low', 'close'] as const).map((column): Expectation => ({ kind: 'range', column, above: 0 })),
  { kind: 'range', column: 'volume', min: 0 },
  { kind: 'order', columns: ['low', 'open', 'high'] },
  { kind: 'order', columns: ['low', 'close', 'high'] },
]

type Holds = Extract<Expectation, { readonly kind: 'holds' }>

const ofTheRest: readonly Holds[] = [
  {
    kind: 'holds',
    name: 'takers bought no more than was traded, in the quote asset',
    that: {
      left: { column: 'taker_buy_quote_volume' },
      is: '<=',
      right: { plus: [{ column: 'quote_volume' }, rounding] },
    },
  },
  {
    kind: 'holds',
    name: 'there is volume where there are trades, and none where there are none',
    that: {
      any: [
        { all: [than('trade_count', '=', 0), than('volume', '=', 0)] },
        { all: [than('trade_count', '>', 0), than('volume', '>', 0)] },
      ],
    },
  },
  {
    kind: 'holds',
    name: 'quote_volume lies between volume at the low and at the high',
    severity: 'warn',
    that: {
      all: [
        {
          left: { plus: [{ column: 'quote_volume' }, rounding] },
          is: '>=',
          right: { times: [{ column: 'low' }, { column: 'volume' }] },
        },
        {
          left: { minus: [{ column: 'quote_volume' }, rounding] },
          is: '<=',
          right: { times: [{ column: 'high' }, { column: 'volume' }] },
        },
      ],
    },
  },
]

/** What holds of every candle that tells all. */
const ofEveryCandle: readonly Expectation[] = [
  ...ofPrices,
  ...notToldByAll.map((column): Expectation => ({ kind: 'notNull', column })),
  ...notToldByAll.map((column): Expectation => ({ kind: 'range', column, min: 0 })),
  { kind: 'order', columns: ['taker_buy_volume', 'volume'] },
  ...ofTheRest,
]

const nothingElse: Condition = { all: notToldByAll.map((column) => ({ isNull: column })) }

/** What holds of the candles of every exchange: it tells all of what others may leave out, or nothing of it. */
const ofEveryExchange: readonly Expectation[] = [
  ...ofPrices,
  ...notToldByAll.map((column): Expectation => ({ kind: 'range', column, min: 0, nullable: true })),
  { kind: 'order', columns: ['taker_buy_volume', 'volume'], nullable: true },
  ...ofTheRest.map((one): Expectation => ({ ...one, that: { any: [nothingElse, one.that] } })),
]

/** Candles of seconds aside. */
const onTheMinute: Expectation = {
  kind: 'matches',
  column: 'open_time',
  pattern: ':00\\+00$',
  name: 'open_time is a full minute',
}

/** What is expected of the exchange's candles, as backfills bring them. */
export const rawKlineQuality = defineQuality({
  table: 'raw_klines',
  by: ['market', 'symbol', 'interval'],
  time: 'open_time',
  description: 'Candles as the exchange made them, by REST or from its archives.',
  columns: {
    ...candleColumnsOf(),
    interval,
    close_time: { type: 'timestamp with time zone', description: 'The last millisecond of the candle.' },
    source: { type: 'text', description: 'Where the row came from last: rest, or the name of an archive.' },
  },
  expectations: [
    { kind: 'unique', columns: ['market', 'symbol', 'interval', 'open_time'] },
    ...ofEveryExchange,
    { kind: 'acceptedValues', column: 'interval', values: [...klineIntervals] },
    { kind: 'order', columns: ['open_time', 'close_time'], strictly: true },
    { kind: 'notNull', column: 'source' },
  ],
})

/** What is expected of the minutes of silver before gold is made of them. */
export const silverQuality = defineQuality({
  table: 'silver_klines_1m',
  by: ['market', 'symbol'],
  time: 'open_time',
  description: "One row a minute: ours where the exchange has none or the same, else the exchange's.",
  columns: {
    ...candleColumnsOf('38,8', '38,16'),
    vwap: vwap('38,8'),
    source: { type: 'text', description: 'Whose minute it is: trades for ours, exchange for theirs.' },
  },
  expectations: [
    { kind: 'unique', columns: ['market', 'symbol', 'open_time'] },
    ...ofEveryCandle,
    onTheMinute,
    { kind: 'acceptedValues', column: 'source', values: ['trades', 'exchange'] },
    {
      kind: 'holds',
      name: 'vwap lies between low and high, and is there where there are trades',
      that: {
        any: [
          { all: [{ isNull: 'vwap' }, than('trade_count', '=', 0)] },
          { all: [compare('low', '<=', 'vwap'), compare('vwap', '<=', 'high')] },
        ],
      },
    },
    {
      kind: 'equals',
      name: "as the exchange's own klines, where they are",
      table: 'raw_klines',
      on: ['market', 'symbol', 'open_time'],
      columns: [...exactColumns, ...roundedColumns.map((column) => ({ column, within: klineGrain }))],
      otherOnly: {
        all: [{ left: { column: 'interval' }, is: '=', right: { value: '1m' } }, than('trade_count', '>=', 0)],
      },
      missing: 'fail',
    },
    { kind: 'complete', every: '1m', lateBy: '5m', severity: 'warn' },
    { kind: 'fresh', within: '1h', severity: 'warn' },
  ],
})

/** What is expected of the candles of gold. */
const goldQualities: readonly Quality[] = (['5m', '15m', '1h', '4h', '1d'] as const).map((length) =>
  defineQuality({
    table: `gold_klines_${length}`,
    by: ['market', 'symbol'],
    time: 'open_time',
    description: `Candles of ${length}, made of the minutes of silver that passed.`,
    columns: { ...candleColumnsOf('38,8', '38,16'), vwap: vwap('38,8') },
    expectations: [
      { kind: 'unique', columns: ['market', 'symbol', 'open_time'] },
      ...ofEveryCandle,
      onTheMinute,
      { kind: 'order', columns: ['low', 'vwap', 'high'] },
    ],
  }),
)

/** What is expected of our candles as the live pipeline writes them; those that are still open are not looked at. */
const liveQualities: readonly Quality[] = intervals.map((length) =>
  defineQuality({
    table: `fact_realtime_trades_${length}`,
    by: ['market', 'symbol'],
    time: 'open_time',
    only: { left: { column: 'is_closed' }, is: '=', right: { value: true } },
    description: `Candles of ${length}, made of trades as they come.`,
    columns: {
      ...candleColumnsOf(),
      interval,
      vwap: vwap(),
      first_trade_id: { type: 'bigint', description: 'Of the first trade.' },
      last_trade_id: { type: 'bigint', description: 'Of the last trade.' },
      is_closed: { type: 'boolean', description: 'False for a provisional candle of the trades so far.' },
      revision: {
        type: 'integer',
        description: '0 while provisional, 1 at the first close, one more for each correction.',
      },
    },
    expectations: [
      { kind: 'unique', columns: ['market', 'symbol', 'open_time'] },
      ...ofEveryCandle,
      onTheMinute,
      { kind: 'acceptedValues', column: 'interval', values: [length] },
      { kind: 'order', columns: ['low', 'vwap', 'high'] },
      { kind: 'order', columns: ['first_trade_id', 'last_trade_id'] },
      { kind: 'range', column: 'revision', min: 1 },
    ],
  }),
)

/** What is expected of every table of the platform. */
export const marketQualities: readonly Quality[] = [rawKlineQuality, silverQuality, ...goldQualities, ...liveQualities]

/** How far apart the rows of a table of the platform are, ms: its name ends in the length of its candles, or its key has it. */
export function candleEveryMs(
  { table }: Quality,
  { interval = table.split('_').at(-1) }: QualityWindow['key'],
): number {
  return klineIntervalMs[interval as KlineInterval] ?? 0
}
