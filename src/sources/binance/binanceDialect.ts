import { z } from 'zod'
import type { ExchangeDialect, SubscriptionTalk } from '../live/exchangeDialect.ts'
import { peekFrame } from '../market/peekFrame.ts'
import { type BinanceMarket, marketRules } from './endpoints.ts'
import { proofOf, proofStreams } from './quietProof.ts'
import { tradeFrame } from './restTrades.ts'

const replySchema = z.object({
  id: z.union([z.number(), z.string(), z.null()]),
  result: z.unknown().optional(),
  error: z.unknown().optional(),
})
const replyStarts = ['{"result"', '{"error"', '{"id"'].map((text) => Buffer.from(text))
const shownBytes = 200
/** What is longer answers nothing, and is not read for it: JSON may be as deep as it is long. */
const longestReplyBytes = 65_536
/** Frames of streams are longer, and are not searched. */
const longestShutdownBytes = 120
const shutdownMark = Buffer.from('"serverShutdown"')

/** How Binance is asked for streams. */
export const binanceTalk: SubscriptionTalk = {
  streamsPerMessage: 200,
  request: (method, params, id) => JSON.stringify({ method, params, id }),
  replyOf: (frame) => {
    if (frame.length > longestReplyBytes) return null
    if (!replyStarts.some((start) => frame.subarray(0, start.length).equals(start))) return null
    const reply = replySchema.safeParse(parsedJson(frame))
    if (!reply.success) return null
    const { id, error } = reply.data
    return { id: Number(id), problem: error === undefined ? null : frame.toString('utf8', 0, shownBytes) }
  },
  isGoodbye: (frame) => frame.length < longestShutdownBytes && frame.includes(shutdownMark),
}

/** Binance, spot or futures: combined streams, ids that grow by one, tickers and candles that name the newest trade. */
export function binanceDialect(
  market: BinanceMarket,
  streamUrls: readonly string[],
  timeUnit: 'ms' | 'us',
): ExchangeDialect {
  return {
    market,
    hasContiguousIds: marketRules[market].hasContiguousIds,
    urls: streamUrls.map((url) => `${url}/stream${timeUnit === 'us' ? '?timeUnit=MICROSECOND' : ''}`),
    talk: binanceTalk,
    streamsOf: (symbol) => [`${symbol.toLowerCase()}@trade`, ...proofStreams(symbol)],
    peek: peekFrame,
    newestOf: proofOf,
    tradeFrame: (symbol, trade) => tradeFrame(market, symbol, trade),
  }
}

function parsedJson(frame: Buffer): unknown {
  try {
    return JSON.parse(frame.toString())
  } catch {
    return undefined
  }
}
