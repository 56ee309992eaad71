import type pg from 'pg'
import { intervals } from '../../../src/market/interval.ts'
import type { ExpectedCandle } from '../../../src/testing/unkind/unkindTrades.ts'
import type { PartitionContent } from './topicContent.ts'
import type { Truth } from './unkindTopic.ts'

/** Where the topic holds something else than what was written: the producer may repeat, reorder or lose nothing through every death of the broker. */
export function producerErrors(truth: Truth, content: readonly PartitionContent[]): string[] {
  return truth.digests.flatMap((written, partition) => {
    const held = content[partition]?.digests ?? []
    if (written.length === held.length && written.every((digest, place) => digest === held[place])) return []
    return [`partition ${partition}: ${written.length} records were written, it holds ${held.length}, or others`]
  })
}

interface CandleRow extends Omit<ExpectedCandle, 'openTime' | 'firstTradeId' | 'lastTradeId'> {
  readonly openTime: string
  readonly firstTradeId: string
  readonly lastTradeId: string
}

const candleColumns = `symbol, interval, (extract(epoch FROM open_time) * 1000)::bigint AS "openTime", open::text, high::text, low::text, close::text,
  volume::text, quote_volume::text AS "quoteVolume", trade_count AS "tradeCount", taker_buy_volume::text AS "takerBuyVolume",
  taker_buy_quote_volume::text AS "takerBuyQuoteVolume", vwap::text, first_trade_id AS "firstTradeId", last_trade_id AS "lastTradeId"`

/** Where candles and dead letters are not what the generator of the input knows they must be, a line each. */
export async function liesOf(pool: pg.Pool, truth: Truth, content: readonly PartitionContent[]): Promise<string[]> {
  const found = new Set<string>()
  for (const interval of intervals) {
    const { rows } = await pool.query<CandleRow>(`SELECT ${candleColumns} FROM fact_realtime_trades_${interval}`)
    for (const row of rows) found.add(candleLine(row))
  }
  const expected = new Set(truth.candles.map(candleLine))
  const offsetOf = (place: string) => {
    const [partition, record] = place.split('/').map(Number) as [number, number]
    return `${partition}/${content[partition]?.offsets[record]}`
  }
  const mustBeDead = new Set([...truth.dead].map(offsetOf))
  const mayBeDead = new Set([...truth.perhapsDead].map(offsetOf))
  const letters = await pool.query<{ place: string }>(`SELECT partition || '/' || "offset" AS place FROM dead_letter`)
  const dead = new Set(letters.rows.map(({ place }) => place))
  return [
    ...[...expected].filter((line) => !found.has(line)).map((line) => `- truth: ${line}`),
    ...[...found].filter((line) => !expected.has(line)).map((line) => `+ truth: ${line}`),
    ...[...mustBeDead].filter((place) => !dead.has(place)).map((place) => `- dead letter of ${place}`),
    ...[...dead]
      .filter((place) => !mustBeDead.has(place) && !mayBeDead.has(place))
      .map((place) => `+ dead letter of ${place}`),
  ]
}

const columns = [
  ...['symbol', 'interval', 'openTime', 'open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'tradeCount'],
  ...['takerBuyVolume', 'takerBuyQuoteVolume', 'vwap', 'firstTradeId', 'lastTradeId'],
] as readonly (keyof ExpectedCandle)[]

function candleLine(candle: ExpectedCandle | CandleRow): string {
  return columns.map((column) => plain(String(candle[column]))).join(' ')
}

/** The same number whatever its scale: without zeros at the end of a fraction. */
function plain(text: string): string {
  return /^-?\d+\.\d+$/.test(text) ? text.replace(/\.?0+$/, '') : text
}
