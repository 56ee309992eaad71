import type { FramePeek } from '../market/peekFrame.ts'

/** Those whose live trades one reader reads, each in its own dialect. */
export type LiveMarket = 'spot' | 'usdm' | 'coinbase'

/** A trade as REST tells it, whatever the exchange calls its parts. */
export interface ToldTrade {
  readonly id: number
  /** Decimal text. */
  readonly price: string
  /** Base asset, decimal text. */
  readonly qty: string
  /** In the feed's own unit. */
  readonly time: number
  readonly isBuyerMaker: boolean
  /** What one exchange tells besides. */
  readonly isBestMatch?: boolean | undefined
}

/** What a frame says of a symbol's newest trade: that `lastId` was it at `through`, in the feed's own unit. */
export interface ToldNewest {
  readonly symbol: string
  readonly lastId: number
  readonly through: number
}

/** What a frame answers to a request of ours. */
export interface TalkReply {
  /** Null where the exchange numbers no requests: the oldest one is answered. */
  readonly id: number | null
  /** Why it was refused, or null. */
  readonly problem: string | null
}

/** How subscriptions are asked for on a WebSocket. */
export interface SubscriptionTalk {
  readonly streamsPerMessage: number
  request(method: 'SUBSCRIBE' | 'UNSUBSCRIBE', streams: readonly string[], id: number): string
  /** Null for a frame that answers nothing. Asked only while something is to be answered. */
  replyOf(frame: Buffer): TalkReply | null
  /** Whether the exchange says that it is about to close. */
  isGoodbye(frame: Buffer): boolean
}

/** All in which the live feed of one exchange differs from that of another, but for REST. */
export interface ExchangeDialect {
  /** Whose trades they are, in candles and in the feed's position. */
  readonly market: LiveMarket
  /** Ids grow by one for each trade of a symbol, so that a missing id is a missing trade. */
  readonly hasContiguousIds: boolean
  /** Where a WebSocket is opened, the first one first. */
  readonly urls: readonly string[]
  readonly talk: SubscriptionTalk
  /** Of a symbol: its trades first, then those that tell its newest trade. As many for each. */
  streamsOf(symbol: string): readonly string[]
  /** What the ingest has to know of a frame. Never throws. */
  peek(frame: Buffer, into: FramePeek): void
  /** Null for a frame that says nothing of it. */
  newestOf(frame: Buffer): ToldNewest | null
  /** The frame that the stream would have brought, as far as REST tells. */
  tradeFrame(symbol: string, trade: ToldTrade): Buffer
}
