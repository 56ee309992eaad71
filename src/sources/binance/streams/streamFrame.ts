import { kindOfStream, type StreamKind, symbolOfStream } from '../../../market/streams/frameKind.ts'

/** The streams of the exchange that are no trades, each with a topic of its own. */
export type OtherKind = Exclude<StreamKind, 'trade'>

export const otherKinds: readonly OtherKind[] = [
  'aggTrade',
  'kline',
  'ticker',
  'miniTicker',
  'bookTicker',
  'depth',
  'partialDepth',
]

/** What an ingest has to know of a frame to file it once and in order; whether the rest of it is sound is for the decoder to say. */
export interface StreamFrame {
  /** As it was subscribed to: `btcusdt@kline_1m`. */
  readonly stream: string
  /** In upper case. */
  readonly symbol: string
  /** Grows within a stream: the id where there is one, else the time in the feed's unit. */
  readonly order: number
  /** Tells those of one order apart, and grows too. */
  readonly minor: number
  /** The first id in it, where every id comes once: a hole before it is known. */
  readonly firstId: number | null
  /** When it happened or was sent, in the feed's unit; null where it does not say. */
  readonly time: number | null
}

interface Facts {
  readonly order: unknown
  readonly minor?: unknown
  readonly firstId?: unknown
  readonly time?: unknown
}

type Payload = Readonly<Record<string, unknown>>

const factsOf: Readonly<Record<OtherKind, (payload: Payload) => Facts>> = {
  aggTrade: ({ a, T }) => ({ order: a, firstId: a, time: T }),
  // The last frame of a candle and the first of the next one may be of the same moment.
  kline: ({ E, k }) => ({ order: E, minor: isObject(k) ? k.t : null, time: E }),
  ticker: ({ E }) => ({ order: E, time: E }),
  miniTicker: ({ E }) => ({ order: E, time: E }),
  bookTicker: ({ u, E }) => ({ order: u, time: E }),
  depth: ({ u, U, pu, E }) => ({ order: u, firstId: typeof pu === 'number' ? pu + 1 : U, time: E }),
  partialDepth: ({ lastUpdateId, u, E }) => ({ order: lastUpdateId ?? u, time: E }),
}

/** What a frame of the combined stream says of itself; null for one that cannot be read so far. Never throws. */
export function readStreamFrame(frame: Buffer, kind: OtherKind): StreamFrame | 'other' | null {
  const parsed = parseJson(frame)
  if (!isObject(parsed) || typeof parsed.stream !== 'string') return isReply(parsed) ? 'other' : null
  const { stream, data } = parsed
  const said = kindOfStream(stream)
  if (said !== kind) return said === null ? null : 'other'
  const symbol = symbolOfStream(stream)
  if (symbol === null || !isObject(data)) return null
  const { order, minor = 0, firstId = null, time = null } = factsOf[kind](data)
  if (!isCount(order) || !isCount(minor)) return null
  if ((firstId !== null && !isCount(firstId)) || (time !== null && !isCount(time))) return null
  return { stream, symbol, order, minor, firstId, time }
}

function isReply(parsed: unknown): boolean {
  return isObject(parsed) && 'id' in parsed && ('result' in parsed || 'error' in parsed)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isObject(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseJson(frame: Buffer): unknown {
  try {
    return JSON.parse(frame.toString())
  } catch {
    return undefined
  }
}
