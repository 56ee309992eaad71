import type { AggTrade } from './aggTrade.ts'
import type { BookTicker } from './bookTicker.ts'
import type { DepthDiff } from './depthDiff.ts'
import type { Kline } from './kline.ts'
import type { MiniTicker } from './miniTicker.ts'
import type { PartialDepth } from './partialDepth.ts'
import type { QualityRule } from './quality.ts'
import type { StreamTrade } from './streamTrade.ts'
import type { Ticker } from './ticker.ts'

/** How long a frame may take from the exchange to us. Wider than networks, because two clocks are compared. */
const arrival = { id: 'arrival', part: 'latency', points: 10 } as const
const arrivalDelay = { kind: 'delay', from: 'eventTime', to: 'receivedAt', goodMs: 2_000, badMs: 20_000 } as const

/** How long a frame may take from the trade to when it is sent. */
const sentSoon = {
  id: 'sent-soon',
  part: 'latency',
  points: 10,
  check: { kind: 'delay', from: 'tradeTime', to: 'eventTime', goodMs: 1_000, badMs: 60_000 },
} as const
const priceAndQuantity = [
  { id: 'price', part: 'plausibility', points: 30, check: { kind: 'positive', fields: ['price'] } },
  { id: 'quantity', part: 'plausibility', points: 30, check: { kind: 'positive', fields: ['quantity'] } },
] as const
/** First and last price lie between the lowest and the highest. @param points of each of the two */
const withinRange = (points: number) =>
  [
    { id: 'low-open-high', part: 'plausibility', points, check: { kind: 'rising', fields: ['low', 'open', 'high'] } },
    { id: 'low-close-high', part: 'plausibility', points, check: { kind: 'rising', fields: ['low', 'close', 'high'] } },
  ] as const

type Rules<V> = readonly QualityRule<keyof V & string>[]

const trade: Rules<StreamTrade> = [
  { id: 'has-times', part: 'completeness', points: 20, check: { kind: 'present', fields: ['tradeTime', 'eventTime'] } },
  ...priceAndQuantity,
  sentSoon,
  { ...arrival, check: arrivalDelay },
]

const aggTrade: Rules<AggTrade> = [
  { id: 'ids', part: 'completeness', points: 20, check: { kind: 'rising', fields: ['firstTradeId', 'lastTradeId'] } },
  ...priceAndQuantity,
  sentSoon,
  { ...arrival, check: arrivalDelay },
]

const kline: Rules<Kline> = [
  {
    id: 'all-trades',
    part: 'completeness',
    points: 25,
    check: { kind: 'span', first: 'firstTradeId', last: 'lastTradeId', count: 'tradeCount' },
  },
  ...withinRange(15),
  { id: 'prices', part: 'plausibility', points: 15, check: { kind: 'positive', fields: ['low'] } },
  {
    id: 'taker-part',
    part: 'plausibility',
    points: 10,
    check: { kind: 'rising', fields: ['takerBuyVolume', 'volume'] },
  },
  {
    id: 'taker-quote-part',
    part: 'plausibility',
    points: 5,
    check: { kind: 'rising', fields: ['takerBuyQuoteVolume', 'quoteVolume'] },
  },
  {
    id: 'sent-in-time',
    part: 'plausibility',
    points: 5,
    check: { kind: 'rising', fields: ['openTime', 'eventTime'] },
  },
  { ...arrival, check: arrivalDelay },
]

const ticker: Rules<Ticker> = [
  {
    id: 'all-trades',
    part: 'completeness',
    points: 15,
    check: { kind: 'span', first: 'firstTradeId', last: 'lastTradeId', count: 'tradeCount' },
  },
  ...withinRange(15),
  {
    id: 'average-within',
    part: 'plausibility',
    points: 10,
    check: { kind: 'rising', fields: ['low', 'weightedAverage', 'high'] },
  },
  {
    id: 'change',
    part: 'plausibility',
    points: 10,
    check: { kind: 'difference', of: 'close', minus: 'open', is: 'priceChange' },
  },
  { id: 'spread', part: 'plausibility', points: 15, check: { kind: 'rising', fields: ['bid', 'ask'] } },
  {
    id: 'window-is-new',
    part: 'latency',
    points: 10,
    check: { kind: 'delay', from: 'closeTime', to: 'eventTime', goodMs: 2_000, badMs: 60_000 },
  },
  { ...arrival, check: arrivalDelay },
]

const miniTicker: Rules<MiniTicker> = [
  {
    id: 'has-volumes',
    part: 'completeness',
    points: 20,
    check: { kind: 'present', fields: ['volume', 'quoteVolume'] },
  },
  { id: 'prices', part: 'plausibility', points: 20, check: { kind: 'positive', fields: ['low'] } },
  ...withinRange(25),
  { ...arrival, check: arrivalDelay },
]

const bookTicker: Rules<BookTicker> = [
  {
    id: 'both-sides',
    part: 'completeness',
    points: 40,
    check: { kind: 'positive', fields: ['bidQuantity', 'askQuantity'] },
  },
  { id: 'prices', part: 'plausibility', points: 20, check: { kind: 'positive', fields: ['bid', 'ask'] } },
  { id: 'spread', part: 'plausibility', points: 30, check: { kind: 'rising', fields: ['bid', 'ask'] } },
  { ...arrival, check: arrivalDelay },
]

const depth: Rules<DepthDiff> = [
  {
    id: 'ids',
    part: 'completeness',
    points: 30,
    check: { kind: 'rising', fields: ['firstUpdateId', 'lastUpdateId'] },
  },
  {
    id: 'follows',
    part: 'completeness',
    points: 10,
    check: { kind: 'rising', fields: ['previousUpdateId', 'firstUpdateId'] },
  },
  { id: 'spread', part: 'plausibility', points: 50, check: { kind: 'apart', bids: 'bids', asks: 'asks' } },
  { ...arrival, check: arrivalDelay },
]

const partialDepth: Rules<PartialDepth> = [
  {
    id: 'all-levels',
    part: 'completeness',
    points: 30,
    check: { kind: 'levels', fields: ['bids', 'asks'], least: 'levels' },
  },
  { id: 'bids-fall', part: 'plausibility', points: 15, check: { kind: 'ladder', field: 'bids', order: 'falling' } },
  { id: 'asks-rise', part: 'plausibility', points: 15, check: { kind: 'ladder', field: 'asks', order: 'rising' } },
  { id: 'spread', part: 'plausibility', points: 30, check: { kind: 'apart', bids: 'bids', asks: 'asks' } },
  { ...arrival, check: arrivalDelay },
]

/** The rules of each stream's quality score. The points of a list make 100; a rule that can say nothing counts neither way. */
export const qualityRules = {
  trade,
  aggTrade,
  kline,
  ticker,
  miniTicker,
  bookTicker,
  depth,
  partialDepth,
} as const
