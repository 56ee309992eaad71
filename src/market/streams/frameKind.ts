import { klineIntervals } from '../klineInterval.ts'

/** The streams of the exchange that have a codec here. `depth` tells changes of the order book, `partialDepth` its best levels. */
export type StreamKind =
  | 'trade'
  | 'aggTrade'
  | 'kline'
  | 'ticker'
  | 'miniTicker'
  | 'bookTicker'
  | 'depth'
  | 'partialDepth'

/** What a part of a frame says it is: a stream, something else that the exchange sends, or nothing that is known. */
export type Said = StreamKind | 'other' | null

/** What a frame says of itself, twice: by the name of its stream and by its payload. */
export interface FrameKind {
  readonly byName: Said
  readonly byPayload: Said
}

type Json = Readonly<Record<string, unknown>>

/** Reads what a parsed frame, combined or bare, says it is. Looks at no value but the name and the kind of event. */
export function frameKindOf(frame: unknown): FrameKind {
  if (!isObject(frame)) return { byName: null, byPayload: Array.isArray(frame) ? ofArray(frame) : null }
  if (!isCombined(frame)) return { byName: null, byPayload: ofPayload(frame) }
  const { stream, data } = frame
  return {
    byName: typeof stream === 'string' ? kindOfStream(stream) : null,
    byPayload: isObject(data) ? ofPayload(data) : ofArray(data),
  }
}

/** True for a frame of the combined stream, however damaged. */
export function isCombined(frame: object): boolean {
  return Object.hasOwn(frame, 'stream') || Object.hasOwn(frame, 'data')
}

const namedKinds: ReadonlyMap<string, StreamKind> = new Map<string, StreamKind>([
  ['trade', 'trade'],
  ['aggTrade', 'aggTrade'],
  ['ticker', 'ticker'],
  ['miniTicker', 'miniTicker'],
  ['bookTicker', 'bookTicker'],
])
const klineName = new RegExp(`^kline_(?:${klineIntervals.join('|')})(?:@[+-]\\d{2}:\\d{2})?$`)
const depthName = /^depth(?:@\d{1,4}ms)?$/
const partialDepthName = /^depth(?:5|10|20)(?:@\d{1,4}ms)?$/

/** The kind of a stream by its name: `btcusdt@kline_1m` is a `kline`. Null for a text that names no stream. */
export function kindOfStream(stream: string): Said {
  if (stream === '!bookTicker') return 'bookTicker'
  if (stream.startsWith('!')) return 'other'
  const at = stream.indexOf('@')
  if (at <= 0) return null
  const name = stream.slice(at + 1)
  const named = namedKinds.get(name)
  if (named !== undefined) return named
  if (klineName.test(name)) return 'kline'
  if (depthName.test(name)) return 'depth'
  if (partialDepthName.test(name)) return 'partialDepth'
  return /^[a-zA-Z]\w*(?:@.{1,20})?$/.test(name) ? 'other' : null
}

/** The symbol that a stream is of, in upper case; null for a stream of all symbols. */
export function symbolOfStream(stream: string): string | null {
  const at = stream.indexOf('@')
  return at <= 0 || stream.startsWith('!') ? null : stream.slice(0, at).toUpperCase()
}

const eventKinds: ReadonlyMap<unknown, StreamKind> = new Map<unknown, StreamKind>([
  ['trade', 'trade'],
  ['aggTrade', 'aggTrade'],
  ['kline', 'kline'],
  ['24hrTicker', 'ticker'],
  ['24hrMiniTicker', 'miniTicker'],
  ['bookTicker', 'bookTicker'],
  ['depthUpdate', 'depth'],
])

/** An event type is a word; what is none says nothing. */
const eventName = /^[0-9a-zA-Z_]{3,40}$/

function ofPayload(payload: Json): Said {
  if (Object.hasOwn(payload, 'e')) {
    const { e } = payload
    return eventKinds.get(e) ?? (typeof e === 'string' && eventName.test(e) ? 'other' : null)
  }
  // The spot book ticker and the partial book say neither what they are nor when.
  if (hasAll(payload, ['lastUpdateId', 'bids', 'asks'])) return 'partialDepth'
  if (hasAll(payload, ['u', 's', 'b', 'a'])) return 'bookTicker'
  return hasAll(payload, ['id']) && (Object.hasOwn(payload, 'result') || Object.hasOwn(payload, 'error'))
    ? 'other'
    : null
}

/** Streams of all symbols send many events in one frame. */
function ofArray(data: unknown): Said {
  if (!Array.isArray(data)) return null
  const [first] = data as readonly unknown[]
  return isObject(first) && typeof first.e === 'string' ? 'other' : null
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasAll(value: Json, names: readonly string[]): boolean {
  return names.every((name) => Object.hasOwn(value, name))
}
