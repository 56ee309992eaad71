import type pg from 'pg'
import { type Fixed8, toFixed8 } from '../exact/decimal.ts'
import type { Candle } from '../market/candle.ts'
import { klineColumns } from '../market/klineEquality.ts'
import type { Market } from '../market/trade.ts'
import type { Day } from './day.ts'
import { daysGiven, dayValues, inDay } from './day.ts'

const joined = (value: string) => `string_agg(${value}::text, ',' ORDER BY r.open_time, r.symbol)`

/** Values of a column come as one text: a text for each takes several times as long. */
const minutesText = `SELECT market, ${joined('place')}, array_agg(DISTINCT symbol ORDER BY symbol), ${joined('(extract(epoch FROM open_time) * 1000)::bigint')}, ${klineColumns.map(joined).join(', ')}
FROM (
  SELECT minute.*, dense_rank() OVER (PARTITION BY minute.market ORDER BY minute.symbol) - 1 AS place
  FROM ${daysGiven} CROSS JOIN LATERAL (SELECT * FROM silver_klines_1m AS r WHERE r.market = given.market AND r.symbol = given.symbol AND ${inDay} AND trade_count > 0 OFFSET 0) AS minute
  WHERE NOT EXISTS (
    SELECT FROM blocked_window AS hour
    WHERE hour.market = minute.market AND hour.symbol = minute.symbol AND minute.open_time >= hour.from_time AND minute.open_time < hour.to_time
  )
) AS r
GROUP BY market`

type MarketRow = readonly [
  market: Market,
  places: string,
  symbols: readonly string[],
  times: string,
  ...columns: string[],
]

/** The minutes of these days in which something was traded, without those of blocked hours, whose numbers may be none: by market, for symbols of different markets may have one name, and in order of time. */
export async function tradedMinutes(client: pg.ClientBase, days: readonly Day[]): Promise<readonly Candle[][]> {
  const { rows } = await client.query<MarketRow[]>({ text: minutesText, values: dayValues(days), rowMode: 'array' })
  return (rows as unknown as readonly MarketRow[]).map(minutesOf)
}

function minutesOf([market, placeText, symbols, timeText, ...columns]: MarketRow): Candle[] {
  const places = new NumberText(placeText)
  const times = new NumberText(timeText)
  const [open, high, low, close, volume, quoteVolume, tradeCount, takerBuyVolume, takerBuyQuoteVolume] = columns.map(
    (text) => new NumberText(text),
  ) as [NumberText, NumberText, NumberText, NumberText, NumberText, NumberText, NumberText, NumberText, NumberText]
  const minutes: Candle[] = []
  while (!places.isOver) {
    minutes.push({
      market,
      symbol: symbols[places.next() as number] as string,
      interval: '1m',
      openTime: times.next() as number,
      open: open.next(),
      high: high.next(),
      low: low.next(),
      close: close.next(),
      volume: volume.next(),
      quoteVolume: BigInt(quoteVolume.next()),
      tradeCount: tradeCount.next() as number,
      takerBuyVolume: takerBuyVolume.next(),
      takerBuyQuoteVolume: BigInt(takerBuyQuoteVolume.next()),
      // Neither is kept of the longer candles: theirs is made anew, and the exchange tells no ids.
      vwap: 0,
      firstTradeId: 0,
      lastTradeId: 0,
      isClosed: true,
      revision: 1,
    })
  }
  return minutes
}

const COMMA = 0x2c
const POINT = 0x2e
const ZERO = 0x30
/** So many digits are a safe integer, whichever they are. */
const safeDigits = 15

/** Numbers with a comma between, one by one: all their digits, the point left out, so that numeric(38,8) counts 1e-8. */
class NumberText {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get isOver(): boolean {
    return this.#at >= this.#text.length
  }

  next(): Fixed8 {
    const text = this.#text
    const start = this.#at
    let at = start
    let sum = 0
    let isPlain = true
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === COMMA) break
      if (code === POINT) continue
      const digit = code - ZERO
      sum = sum * 10 + digit
      if (digit < 0 || digit > 9) isPlain = false
    }
    this.#at = at + 1
    return isPlain && at - start <= safeDigits
      ? toFixed8(sum)
      : toFixed8(BigInt(text.slice(start, at).replace('.', '')))
  }
}
