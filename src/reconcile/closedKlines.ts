import { z } from 'zod'
import { type RawKline, rawKlineOf } from '../backfill/rawKline.ts'

/** A closed candle of a minute, as the stream told it. */
export interface ToldKline {
  readonly symbol: string
  readonly kline: RawKline
}

const told = z.union([z.string(), z.number()])
const frameSchema = z.object({
  data: z.object({
    e: z.literal('kline'),
    s: z.string().max(50),
    k: z.object({
      ...{ t: told, o: told, h: told, l: told, c: told, v: told, T: told, q: told, n: told, V: told, Q: told },
      i: z.literal('1m'),
      x: z.literal(true),
    }),
  }),
})

/** The closed one-minute candle in a frame of the combined stream; null in any other frame. */
export function closedKlineOf(frame: Buffer): ToldKline | null {
  const parsed = frameSchema.safeParse(parsedJson(frame))
  if (!parsed.success) return null
  const { s: symbol, k } = parsed.data.data
  const kline = rawKlineOf([k.t, k.o, k.h, k.l, k.c, k.v, k.T, k.q, k.n, k.V, k.Q, '0'])
  return typeof kline === 'string' ? null : { symbol, kline }
}

function parsedJson(frame: Buffer): unknown {
  try {
    return JSON.parse(frame.toString())
  } catch {
    return undefined
  }
}
