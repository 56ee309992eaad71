import { type Fixed8, type Fixed16, parseFixed8 } from '../exact/decimal.ts'
import type { StoredCandle } from '../queries/candles.ts'

/** What is shown of a candle: as its row has it, or as the 1m candles in it come to. */
export type ShownCandle = Omit<StoredCandle, 'market' | 'symbol' | 'interval' | 'takerBuyVolume' | 'vwap'>

/** The numbers of a candle as exact counts. */
export interface ExactCandle {
  readonly openTime: number
  readonly open: Fixed8
  readonly high: Fixed8
  readonly low: Fixed8
  readonly close: Fixed8
  readonly volume: Fixed8
  readonly quoteVolume: Fixed16
}

/** Null for a candle that is none by the rules of the market, such as one of a table that somebody else fills. */
export function exactCandle(candle: ShownCandle): ExactCandle | null {
  const [open, high, low, close, volume] = [candle.open, candle.high, candle.low, candle.close, candle.volume].map(
    (text) => parseFixed8(text),
  )
  if (open == null || high == null || low == null || close == null || volume == null) return null
  const quoteVolume = fixed16(candle.quoteVolume)
  return quoteVolume === null ? null : { openTime: candle.openTime, open, high, low, close, volume, quoteVolume }
}

function fixed16(text: string): bigint | null {
  const match = /^(\d{1,38})(?:\.(\d{1,16})0*)?$/.exec(text)
  return match === null ? null : BigInt(`${match[1]}${(match[2] ?? '').padEnd(16, '0')}`)
}
