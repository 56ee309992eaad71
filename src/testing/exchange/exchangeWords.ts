import { coinbaseWords } from './coinbaseWords.ts'
import type { ExchangeTrade, SymbolTrades } from './exchangeTrades.ts'
import { type RestAnswer, type RestSource, restAnswer } from './restAnswers.ts'
import { type PayloadTime, tickerPayload, tradePayload } from './streamPayloads.ts'

/** A control message of a client, as every exchange means it. */
export interface ControlRequest {
  readonly isSubscribe: boolean
  /** In the words of the simulated exchange: `btcusdt@trade`, `btcusdt@ticker`. */
  readonly streams: readonly string[]
  /** What is answered once it is done. */
  readonly reply: string
}

/** The words in which a simulated exchange tells its trades. */
export interface ExchangeWords {
  /** Of the stream of trades. */
  trade(symbol: string, trade: ExchangeTrade, time: PayloadTime): string
  /** What names a symbol's newest trade, once a tick; null before there is one. */
  newest(trades: SymbolTrades, time: PayloadTime): string | null
  rest(pathname: string, query: URLSearchParams, source: RestSource): RestAnswer
  /** What says that the server is about to go, ms UTC; null where the exchange says nothing of it. */
  goodbye(now: number): string | null
  /** Null where messages are Binance's. A text is what is wrong with one. */
  readonly control: ((text: string) => ControlRequest | string) | null
  /** What is sent for a stream when it is subscribed, or null. */
  welcome(stream: string, symbols: ReadonlyMap<string, SymbolTrades>): string | null
}

const binanceWords: ExchangeWords = {
  trade: tradePayload,
  newest: tickerPayload,
  rest: restAnswer,
  goodbye: (now) => `{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":${now}}}`,
  control: null,
  welcome: () => null,
}

/** Which exchange a simulated one speaks like. */
export type SpokenExchange = 'binance' | 'coinbase'

export const exchangeWords: Readonly<Record<SpokenExchange, ExchangeWords>> = {
  binance: binanceWords,
  coinbase: coinbaseWords,
}
