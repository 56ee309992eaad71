import { intervals } from '../../src/market/interval.ts'
import type { Outcome } from '../../src/testing/simulation/outcome.ts'
import type { ExpectedCandle } from '../../src/testing/unkind/naiveCandles.ts'
import type { Schedule } from './schedule.ts'

/** Where the outcome is not what a naive model makes of the same trades; empty when it is. A window that is still open counts with what it shows. */
export function untruthsOf(schedule: Schedule, outcome: Outcome): string[] {
  const { candles, deadLetters, perhapsDeadLetters } = schedule.input
  const found = intervals
    .flatMap((interval) => outcome.get(`table fact_realtime_trades_${interval}`) ?? [])
    .map(candleLine)
  const letters = (outcome.get('dead letters') ?? []).map(placeLine)
  const perhaps = new Set(perhapsDeadLetters.map(({ partition, offset }) => `dead letter ${partition}/${offset}`))
  return [
    ...compared(candles.map(expectedLine), found),
    ...compared(
      deadLetters.map(({ partition, offset }) => `dead letter ${partition}/${offset}`),
      letters.filter((line) => !perhaps.has(line)),
    ),
  ]
}

function compared(expected: readonly string[], found: readonly string[]): string[] {
  const inExpected = new Set(expected)
  const inFound = new Set(found)
  return [
    ...expected.filter((line) => !inFound.has(line)).map((line) => `- truth: ${line}`),
    ...found.filter((line) => !inExpected.has(line)).map((line) => `+ truth: ${line}`),
  ]
}

function expectedLine(candle: ExpectedCandle): string {
  const { symbol, interval, openTime, open, high, low, close, volume, quoteVolume, tradeCount } = candle
  const { takerBuyVolume, takerBuyQuoteVolume, vwap, firstTradeId, lastTradeId } = candle
  const values = [open, high, low, close, volume, quoteVolume, tradeCount, takerBuyVolume, takerBuyQuoteVolume, vwap]
  return [symbol, interval, openTime, ...values, firstTradeId, lastTradeId].join(' ')
}

function candleLine(line: string): string {
  const row = JSON.parse(line) as Record<string, unknown>
  const names = [
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
  ]
  const more = ['taker_buy_volume', 'taker_buy_quote_volume', 'vwap', 'first_trade_id', 'last_trade_id']
  return [...names, ...more].map((name) => row[name]).join(' ')
}

function placeLine(line: string): string {
  const letter = JSON.parse(line) as { readonly partition: number; readonly offset: number }
  return `dead letter ${letter.partition}/${letter.offset}`
}
