import { z } from 'zod'

const ticker = z.object({ e: z.literal('24hrTicker'), s: z.string(), C: z.number().int(), L: z.number().int() })
const kline = z.object({
  e: z.literal('kline'),
  E: z.number().int(),
  s: z.string(),
  k: z.object({ T: z.number().int(), L: z.number().int(), x: z.boolean() }),
})
const frame = z.object({ data: z.discriminatedUnion('e', [ticker, kline]) })

/** The streams that say which trade of a symbol is its newest. */
export function proofStreams(symbol: string): readonly string[] {
  return [`${symbol.toLowerCase()}@ticker`, `${symbol.toLowerCase()}@kline_1m`]
}

/** What a frame of another stream than trades says of the newest trade; times in the feed's own unit. Null where it says nothing. */
export function proofOf(
  bytes: Buffer,
): { readonly symbol: string; readonly lastId: number; readonly through: number } | null {
  const parsed = frame.safeParse(parseJson(bytes))
  if (!parsed.success) return null
  const { data } = parsed.data
  if (data.e === '24hrTicker') return { symbol: data.s, lastId: data.L, through: data.C }
  const { L: lastId, T: closeTime, x: isClosed } = data.k
  // A candle without a trade does not know which one was the newest before it.
  return lastId < 0 ? null : { symbol: data.s, lastId, through: isClosed ? closeTime : Math.min(closeTime, data.E) }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}
