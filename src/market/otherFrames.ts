/** Kinds of event that the exchange sends on other streams. */
const otherEvents: ReadonlySet<unknown> = new Set([
  'aggTrade',
  'kline',
  'continuous_kline',
  'depthUpdate',
  'bookTicker',
  '24hrTicker',
  '24hrMiniTicker',
  '1hTicker',
  '4hTicker',
  '1dTicker',
  'avgPrice',
  'blockTrade',
  'markPriceUpdate',
  'indexPriceUpdate',
  'forceOrder',
  'compositeIndex',
  'contractInfo',
  'assetIndexUpdate',
  'serverShutdown',
])

type Json = Readonly<Record<string, unknown>>

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasAll(value: Json, names: readonly string[]): boolean {
  return names.every((name) => Object.hasOwn(value, name))
}

/**
 * Whether a frame that is no trade was never meant to be one: it comes from another stream, or answers a request.
 * A damaged trade does not pass for that, because its stream and its event would have to be damaged alike.
 */
export function isOtherFrame(frame: unknown): boolean {
  if (!isObject(frame)) return false
  if (Object.hasOwn(frame, 'stream') || Object.hasOwn(frame, 'data')) return isOtherStream(frame.stream, frame.data)
  return isOtherPayload(frame) || isReply(frame)
}

function isOtherStream(stream: unknown, data: unknown): boolean {
  if (typeof stream !== 'string' || stream.endsWith('@trade')) return false
  if (stream.startsWith('!')) return Array.isArray(data) || (isObject(data) && data.e !== 'trade')
  if (!isObject(data) || data.e === 'trade') return false
  return isOtherPayload(data) || (stream.includes('@') && typeof data.e === 'string' && !stream.includes('@trade'))
}

function isOtherPayload(payload: Json): boolean {
  if (Object.hasOwn(payload, 'e')) return otherEvents.has(payload.e)
  // The spot book ticker and the partial book say neither what they are nor when.
  return hasAll(payload, ['u', 's', 'b', 'B', 'a', 'A']) || hasAll(payload, ['lastUpdateId', 'bids', 'asks'])
}

function isReply(frame: Json): boolean {
  return hasAll(frame, ['result', 'id']) && (frame.result === null || Array.isArray(frame.result))
}
