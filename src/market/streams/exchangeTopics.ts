import { topic } from '../../codecs/topic.ts'
import { checkOptions, needed, type OptionRules, optional } from '../../runtime/options.ts'
import type { TimeUnit } from '../timeUnit.ts'
import type { Market } from '../trade.ts'
import { tradeCodec } from '../tradeCodec.ts'
import { aggTradeCodec } from './aggTrade.ts'
import { bookTickerCodec } from './bookTicker.ts'
import { depthCodec } from './depthDiff.ts'
import type { StreamKind } from './frameKind.ts'
import { klineCodec } from './kline.ts'
import { miniTickerCodec } from './miniTicker.ts'
import { partialDepthCodec } from './partialDepth.ts'
import { tickerCodec } from './ticker.ts'

/** Of which market the topics are, and in which unit their frames tell times. */
export interface ExchangeTopicsOptions {
  readonly market: Market
  /** Default ms. */
  readonly timeUnit?: TimeUnit
}

const rules: OptionRules<ExchangeTopicsOptions> = {
  market: needed.oneOf('spot', 'usdm', 'simulated'),
  timeUnit: optional.oneOf('ms', 'us'),
}

const words: Readonly<Record<StreamKind, string>> = {
  trade: 'trades',
  aggTrade: 'agg-trades',
  kline: 'klines',
  ticker: 'tickers',
  miniTicker: 'mini-tickers',
  bookTicker: 'book-tickers',
  depth: 'depth',
  partialDepth: 'partial-depth',
}

/** Where the records of a stream go: `crypto.klines.raw`. */
export function topicOfStream(kind: StreamKind, market: Market): string {
  return `crypto.${words[kind]}.${market === 'spot' ? '' : `${market}.`}raw`
}

/**
 * The topics of a market, one a stream, with what reads them: `crypto.klines.raw` of spot, `crypto.klines.usdm.raw` of futures. A record holds one frame of the
 * exchange as it was received; its key is the symbol.
 */
export function exchangeTopics(given: ExchangeTopicsOptions) {
  checkOptions('exchangeTopics', given, rules)
  const { market, timeUnit = 'ms' } = given
  const options = { market, timeUnit }
  const name = (kind: StreamKind) => topicOfStream(kind, market)
  return {
    /** Trades and heartbeats, as candles are made of. */
    trades: topic(name('trade'), { value: tradeCodec(options) }),
    /** Fills of one taker order at one price. */
    aggTrades: topic(name('aggTrade'), { value: aggTradeCodec(options) }),
    /** The exchange's own candles. */
    klines: topic(name('kline'), { value: klineCodec(options) }),
    /** The last 24 hours. */
    tickers: topic(name('ticker'), { value: tickerCodec(options) }),
    /** The last 24 hours, in short. */
    miniTickers: topic(name('miniTicker'), { value: miniTickerCodec(options) }),
    /** Best bid and ask. */
    bookTickers: topic(name('bookTicker'), { value: bookTickerCodec(options) }),
    /** Changes of the order book. */
    depth: topic(name('depth'), { value: depthCodec(options) }),
    /** The best levels of the order book. */
    partialDepth: topic(name('partialDepth'), { value: partialDepthCodec(options) }),
  }
}
