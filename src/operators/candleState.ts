import type { Candle } from '../market/candle.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import { plainState } from '../runtime/state/plainState.ts'
import { loadFixed8 as load, type SavedFixed8, saveFixed8 as save } from './savedFixed8.ts'

type SavedCandle = readonly [
  texts: readonly [Candle['market'], string, Candle['interval']],
  prices: readonly [open: SavedFixed8, high: SavedFixed8, low: SavedFixed8, close: SavedFixed8, vwap: SavedFixed8],
  volumes: readonly [SavedFixed8, quote: string, takerBuy: SavedFixed8, takerBuyQuote: string],
  numbers: readonly [openTime: number, count: number, firstId: number, lastId: number, revision: number],
  isClosed: boolean,
]

const named = plainState<Candle>()

/** Saves candles by position: half the time and half the bytes that the names of their fields would take. Reads both. */
export const candleState: StateCodec<Candle> = {
  encode(candle) {
    const { open, high, low, close, vwap, volume, takerBuyVolume } = candle
    return [
      [candle.market, candle.symbol, candle.interval],
      [save(open), save(high), save(low), save(close), save(vwap)],
      [save(volume), String(candle.quoteVolume), save(takerBuyVolume), String(candle.takerBuyQuoteVolume)],
      [candle.openTime, candle.tradeCount, candle.firstTradeId, candle.lastTradeId, candle.revision],
      candle.isClosed,
    ]
  },
  decode: (saved) => (Array.isArray(saved) ? read(saved as unknown as SavedCandle) : named.decode(saved)),
}

function read([texts, prices, volumes, numbers, isClosed]: SavedCandle): Candle {
  const [market, symbol, interval] = texts
  const [open, high, low, close, vwap] = prices
  const [volume, quoteVolume, takerBuyVolume, takerBuyQuoteVolume] = volumes
  const [openTime, tradeCount, firstTradeId, lastTradeId, revision] = numbers
  return {
    market,
    symbol,
    interval,
    openTime,
    open: load(open),
    high: load(high),
    low: load(low),
    close: load(close),
    volume: load(volume),
    quoteVolume: BigInt(quoteVolume),
    tradeCount,
    takerBuyVolume: load(takerBuyVolume),
    takerBuyQuoteVolume: BigInt(takerBuyQuoteVolume),
    vwap: load(vwap),
    firstTradeId,
    lastTradeId,
    isClosed,
    revision,
  }
}
