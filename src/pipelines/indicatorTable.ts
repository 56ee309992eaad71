import type { Interval } from '../market/interval.ts'
import type { Market } from '../market/trade.ts'
import { table } from '../sinks/table.ts'

/** One line of an indicator at one candle. */
export interface IndicatorRow {
  readonly market: Market
  readonly symbol: string
  readonly interval: Interval
  /** ms UTC. */
  readonly open_time: number
  /** Which one with which numbers, such as `rsi:14`. */
  readonly indicator: string
  /** `value`, or the name of one of several lines. */
  readonly line: string
  readonly value: number
  readonly is_complete: boolean
  readonly revision: number
}

/** A row a line and candle; the newest revision replaces the others. */
export const indicatorTable = table('indicator', {
  columns: {
    market: 'text',
    symbol: 'text',
    interval: 'text',
    open_time: 'timestamptz',
    indicator: 'text',
    line: 'text',
    value: 'double precision',
    is_complete: 'boolean',
    revision: 'integer',
  },
  key: ['market', 'symbol', 'interval', 'indicator', 'line', 'open_time'],
  revision: 'revision',
})
