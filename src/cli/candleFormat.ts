import { formatFixed } from '../exact/decimal.ts'
import type { StoredCandle } from '../queries/candles.ts'
import { formatTime } from './time.ts'

export const csvColumns = [
  'symbol',
  'interval',
  'open_time',
  'open',
  'high',
  'low',
  'close',
  'volume',
  'quote_volume',
  'trade_count',
  'taker_buy_volume',
  'vwap',
  'is_closed',
  'revision',
  // Behind the others, so that whoever reads by place reads what it did; it alone marks invented prices.
  'market',
] as const

const places = 8
const maxScale = 16

/** A decimal of PostgreSQL (no exponent) with exactly 8 places, rounded half to even. */
export function eightPlaces(decimal: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(decimal)
  if (match === null) return decimal
  const [, sign = '', integer = '0', fraction = ''] = match
  const scale = Math.max(maxScale, fraction.length)
  const units = BigInt(`${sign}${integer}${fraction.padEnd(scale, '0')}`)
  return formatFixed(units, scale, places)
}

function cells(candle: StoredCandle): readonly string[] {
  return [
    candle.symbol,
    candle.interval,
    formatTime(candle.openTime),
    eightPlaces(candle.open),
    eightPlaces(candle.high),
    eightPlaces(candle.low),
    eightPlaces(candle.close),
    eightPlaces(candle.volume),
    eightPlaces(candle.quoteVolume),
    String(candle.tradeCount),
    eightPlaces(candle.takerBuyVolume),
    eightPlaces(candle.vwap),
    String(candle.isClosed),
    String(candle.revision),
    candle.market,
  ]
}

/** Prints candles that come page by page, so that a range of any length needs the memory of one page. */
export interface CandleFormat {
  readonly head: string
  page(candles: readonly StoredCandle[], isFirst: boolean): string
  readonly tail: string
}

export type FormatName = 'table' | 'csv' | 'json'

export function candleFormat(name: FormatName): CandleFormat {
  if (name === 'csv') {
    return {
      head: `${csvColumns.join(',')}\n`,
      page: (candles) => candles.map((candle) => `${cells(candle).join(',')}\n`).join(''),
      tail: '',
    }
  }
  if (name === 'json') {
    return {
      head: '[',
      page: (candles, isFirst) =>
        candles.map((candle, index) => `${isFirst && index === 0 ? '\n' : ',\n'}${jsonOf(candle)}`).join(''),
      tail: '\n]\n',
    }
  }
  return tableFormat()
}

function jsonOf(candle: StoredCandle): string {
  const texts = cells(candle)
  const entries = csvColumns.map((column, index) => [column, texts[index] ?? ''] as const)
  return JSON.stringify({
    market: candle.market,
    ...Object.fromEntries(entries),
    trade_count: candle.tradeCount,
    is_closed: candle.isClosed,
    revision: candle.revision,
  })
}

const tableHeadings = [
  'open time (UTC)',
  'open',
  'high',
  'low',
  'close',
  'volume',
  'quote volume',
  'trades',
  'vwap',
  '',
]

/** Columns are as wide as the first page needs; a wider cell later on only moves its own line. */
function tableFormat(): CandleFormat {
  let widths: readonly number[] = []
  const line = (texts: readonly string[]) =>
    `${texts
      .map((text, index) => (index === 0 ? text.padEnd(widths[index] ?? 0) : text.padStart(widths[index] ?? 0)))
      .join('  ')
      .trimEnd()}\n`
  return {
    head: '',
    page: (candles, isFirst) => {
      const rows = candles.map(tableCells)
      let text = ''
      if (isFirst) {
        widths = tableHeadings.map((heading, index) =>
          rows.reduce((width, row) => Math.max(width, row[index]?.length ?? 0), heading.length),
        )
        text = line(tableHeadings)
      }
      return text + rows.map(line).join('')
    },
    tail: '',
  }
}

function tableCells(candle: StoredCandle): readonly string[] {
  return [
    formatTime(candle.openTime).replace('T', ' ').replace(':00.000Z', ''),
    trimmed(candle.open),
    trimmed(candle.high),
    trimmed(candle.low),
    trimmed(candle.close),
    trimmed(candle.volume),
    trimmed(candle.quoteVolume),
    String(candle.tradeCount),
    trimmed(candle.vwap),
    candle.isClosed ? (candle.revision > 1 ? `revision ${candle.revision}` : '') : 'open',
  ]
}

/** For people: no zeros that say nothing, but at least two places. */
export function trimmed(decimal: string): string {
  return eightPlaces(decimal).replace(/0{1,6}$/, '')
}
