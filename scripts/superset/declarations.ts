/** A column of a dataset, with the type that PostgreSQL gives it. */
export interface Column {
  readonly name: string
  readonly type: string
  readonly isTime?: boolean
  readonly isGroup?: boolean
}

/** A number that is made of rows. */
export interface Metric {
  readonly name: string
  readonly label: string
  readonly expression: string
  readonly format: string
}

/** A table that charts read. */
export interface Dataset {
  readonly uuid: string
  readonly table: string
  readonly description: string
  readonly columns: readonly Column[]
  readonly metrics: readonly Metric[]
}

/** What is drawn of a dataset. */
export interface Chart {
  readonly uuid: string
  readonly name: string
  readonly description: string
  readonly kind: 'echarts_timeseries_line' | 'echarts_timeseries_bar'
  readonly x: string
  readonly xTitle: string
  readonly groups: readonly string[]
  readonly metric: string
  readonly yTitle: string
}

export const timeColumn = 'open_time'

// A day that ends now: "Last day" of Superset ended at midnight.
export const lastDay = 'DATEADD(DATETIME("now"), -1, day) : now'

export const database = {
  uuid: '6f0d5a4e-3c0f-4f3e-9c53-0a4d8f3c7b01',
  name: 'Millrace',
  // No password: a masked one is refused, and one of ours would be a secret in a file. `superset set_database_uri` puts yours in.
  uri: 'postgresql+psycopg2://millrace@127.0.0.1:5432/millrace',
} as const

export const dataset: Dataset = {
  uuid: '6f0d5a4e-3c0f-4f3e-9c53-0a4d8f3c7b02',
  table: 'fact_realtime_trades_5m',
  description: 'Candles of five minutes, a row for each market, symbol and time; those that are open are among them.',
  columns: [
    { name: 'market', type: 'TEXT', isGroup: true },
    { name: 'symbol', type: 'TEXT', isGroup: true },
    { name: 'interval', type: 'TEXT', isGroup: true },
    { name: timeColumn, type: 'TIMESTAMP WITH TIME ZONE', isTime: true, isGroup: true },
    { name: 'open', type: 'NUMERIC' },
    { name: 'high', type: 'NUMERIC' },
    { name: 'low', type: 'NUMERIC' },
    { name: 'close', type: 'NUMERIC' },
    { name: 'volume', type: 'NUMERIC' },
    { name: 'quote_volume', type: 'NUMERIC' },
    { name: 'trade_count', type: 'BIGINT' },
    { name: 'vwap', type: 'NUMERIC' },
    { name: 'is_closed', type: 'BOOLEAN', isGroup: true },
    { name: 'revision', type: 'INTEGER' },
  ],
  metrics: [
    // One row a symbol and time, so any of them is that of the row.
    { name: 'close_price', label: 'Close', expression: 'MAX("close")', format: ',.8~r' },
    { name: 'base_volume', label: 'Volume', expression: 'SUM("volume")', format: ',.3~s' },
    { name: 'traded_value', label: 'Quote volume', expression: 'SUM("quote_volume")', format: ',.3~s' },
  ],
}

export const charts: readonly Chart[] = [
  {
    uuid: '6f0d5a4e-3c0f-4f3e-9c53-0a4d8f3c7b03',
    name: 'Prices, 5 minutes',
    description: 'The close of each candle, in the quote asset, by symbol and market.',
    kind: 'echarts_timeseries_line',
    x: timeColumn,
    xTitle: 'Open time, UTC',
    groups: ['symbol', 'market'],
    metric: 'close_price',
    yTitle: 'Close, quote asset',
  },
  {
    uuid: '6f0d5a4e-3c0f-4f3e-9c53-0a4d8f3c7b04',
    name: 'Volume by symbol',
    description: 'What was traded within the last day, in the quote asset, so that symbols can be compared.',
    kind: 'echarts_timeseries_bar',
    x: 'symbol',
    xTitle: 'Symbol',
    groups: ['market'],
    metric: 'traded_value',
    yTitle: 'Volume, quote asset',
  },
]

export const dashboard = {
  uuid: '6f0d5a4e-3c0f-4f3e-9c53-0a4d8f3c7b05',
  title: 'Millrace: crypto trades',
  slug: 'millrace',
  description: 'Prices and volume of the realtime pipeline.',
  refreshSeconds: 60,
} as const
