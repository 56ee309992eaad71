import { z } from 'zod'
import type { ExchangeDialect, SubscriptionTalk, ToldTrade } from '../live/exchangeDialect.ts'
import type { FramePeek } from '../market/peekFrame.ts'

const trade = { trade_id: z.int().min(0), product_id: z.string().min(1).max(50), time: z.string() }
const matchSchema = z.object({ type: z.literal('match'), fill: z.boolean().optional(), ...trade })
const newestSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('last_match'), ...trade }),
  z.object({
    type: z.literal('heartbeat'),
    last_trade_id: z.int().min(0),
    product_id: trade.product_id,
    time: z.string(),
  }),
])
const gapSchema = z.object({ e: z.literal('gap'), s: z.string().min(1).max(50) })
const errorSchema = z.object({ type: z.literal('error'), message: z.string(), reason: z.string().optional() })

/** The list of all subscriptions, and more; what is longer is not read for it. */
const longestReplyBytes = 262_144

/** Channels that a stream is one of: `BTC-USD@matches`. */
const channels = ['matches', 'heartbeat'] as const

export const coinbaseTalk: SubscriptionTalk = {
  streamsPerMessage: 200,
  request: (method, streams) => {
    const lists = channels.map((name) => ({
      name,
      product_ids: streams.filter((stream) => stream.endsWith(`@${name}`)).map((stream) => stream.split('@')[0]),
    }))
    return JSON.stringify({
      type: method === 'SUBSCRIBE' ? 'subscribe' : 'unsubscribe',
      channels: lists.filter(({ product_ids }) => product_ids.length > 0),
    })
  },
  replyOf: (frame) => {
    if (frame.length > longestReplyBytes) return null
    const said = parsedJson(frame)
    if (isObject(said) && said.type === 'subscriptions') return { id: null, problem: null }
    const error = errorSchema.safeParse(said)
    if (!error.success) return null
    const { message, reason = '' } = error.data
    return { id: null, problem: `${message} ${reason}`.trim().slice(0, 200) }
  },
  isGoodbye: () => false,
}

/**
 * Coinbase Exchange: bare frames, products such as `BTC-USD`, times in ISO 8601, ids that grow by one a product, and a heartbeat a second that names the newest
 * trade. A heartbeat that names none (0, as some have seen for months) says nothing; then no quiet is proven, and time passes by the product's trades.
 */
export function coinbaseDialect(streamUrl: string): ExchangeDialect {
  return {
    market: 'coinbase',
    hasContiguousIds: true,
    urls: [streamUrl],
    talk: coinbaseTalk,
    streamsOf: (product) => channels.map((name) => `${product}@${name}`),
    peek: peekCoinbase,
    newestOf: (frame) => {
      const read = newestSchema.safeParse(parsedJson(frame))
      if (!read.success) return null
      const { data } = read
      const lastId = data.type === 'heartbeat' ? data.last_trade_id : data.trade_id
      const through = Date.parse(data.time)
      return lastId === 0 || Number.isNaN(through) ? null : { symbol: data.product_id, lastId, through }
    },
    tradeFrame: coinbaseTradeFrame,
  }
}

/** The frame that the stream would have brought, as far as REST tells. */
export function coinbaseTradeFrame(product: string, { id, price, qty, time, isBuyerMaker }: ToldTrade): Buffer {
  const trade = {
    type: 'match',
    trade_id: id,
    // The maker's side.
    side: isBuyerMaker ? 'buy' : 'sell',
    size: qty,
    price,
    product_id: product,
    time: new Date(time).toISOString(),
  }
  return Buffer.from(JSON.stringify(trade))
}

/** What the ingest has to know of a frame of Coinbase's. Never throws. */
export function peekCoinbase(frame: Buffer, into: FramePeek): void {
  const said = parsedJson(frame)
  into.isFill = false
  if (!isObject(said)) {
    into.kind = 'unreadable'
    into.detail = 'no JSON object'
    return
  }
  const gap = gapSchema.safeParse(said)
  if (gap.success) {
    into.kind = 'gap'
    into.symbol = gap.data.s
    return
  }
  const { type } = said
  if (type !== 'match') {
    into.kind = typeof type === 'string' ? 'other' : 'unreadable'
    into.detail = typeof type === 'string' ? type.slice(0, 32) : 'no type'
    return
  }
  const match = matchSchema.safeParse(said)
  const time = match.success ? Date.parse(match.data.time) : Number.NaN
  if (!match.success || Number.isNaN(time)) {
    into.kind = 'unreadable'
    into.detail = 'a match without its id, product or time'
    return
  }
  into.kind = 'trade'
  into.symbol = match.data.product_id
  into.tradeId = match.data.trade_id
  into.tradeTime = time
  into.isFill = match.data.fill === true
}

function parsedJson(frame: Buffer): unknown {
  try {
    return JSON.parse(frame.toString())
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
