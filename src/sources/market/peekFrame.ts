/** What the ingest has to know of a frame to file it; whether the rest of it is sound is for the decoder to say. */
export interface FramePeek {
  /** `gap`: a feed's own word on missing trades. `other`: provably of another stream. `unreadable`: nobody can say what it is. */
  kind: 'trade' | 'gap' | 'other' | 'unreadable'
  /** The three fields of a trade, in the feed's own time unit. */
  symbol: string
  tradeId: number
  tradeTime: number
  /** True for a trade that a feed has fetched since, behind newer ones. */
  isFill: boolean
  /** The event type of another stream (`depthUpdate`, `bookTicker`, `reply`), or what is wrong with an unreadable frame. */
  detail: string
}

export function newFramePeek(): FramePeek {
  return { kind: 'unreadable', symbol: '', tradeId: 0, tradeTime: 0, isFill: false, detail: '' }
}

/**
 * Reads symbol, id and trade time out of a frame, bare or of a combined stream. Frames as the exchange writes them are scanned in place;
 * everything else goes through `JSON.parse`, so both ways agree on every frame.
 *
 * Keeps nothing. Never throws.
 */
export function peekFrame(frame: Buffer, into: FramePeek): void {
  if (!scanFlat(frame, into)) parseWhole(frame, into)
}

const quote = 0x22
const colon = 0x3a
const comma = 0x2c
const open = 0x7b
const close = 0x7d
const wrapperHead = Buffer.from('{"stream":"')
const wrapperMiddle = Buffer.from('","data":{')
const tradeEvent = Buffer.from('trade')
const gapEvent = Buffer.from('gap')
const maxDigits = 16

/** False when the frame is not of the plain shape, whatever that means for it. */
function scanFlat(frame: Buffer, into: FramePeek): boolean {
  const end = frame.length
  let at = 0
  let isWrapped = false
  if (startsWith(frame, wrapperHead, 0)) {
    at = wrapperHead.length
    at = plainEnd(frame, at)
    if (!startsWith(frame, wrapperMiddle, at)) return false
    at += wrapperMiddle.length - 1
    isWrapped = true
  }
  if (at >= end || frame[at] !== open) return false
  at++
  let eventStart = -1
  let eventEnd = -1
  let symbolStart = -1
  let symbolEnd = -1
  let tradeId = -1
  let tradeTime = -1
  into.isFill = false
  for (;;) {
    if (frame[at] !== quote) return false
    const keyStart = at + 1
    at = plainEnd(frame, keyStart)
    if (frame[at] !== quote || frame[at + 1] !== colon) return false
    const key = at - keyStart === 1 ? (frame[keyStart] as number) : 0
    at += 2
    const first = frame[at]
    if (first === quote) {
      const start = at + 1
      at = plainEnd(frame, start)
      if (frame[at] !== quote) return false
      if (key === 0x65) {
        eventStart = start
        eventEnd = at
      } else if (key === 0x73) {
        symbolStart = start
        symbolEnd = at
      } else if (key === 0x74 || key === 0x54) return false
      at++
    } else if (first !== undefined && first >= 0x30 && first <= 0x39) {
      const start = at
      let value = 0
      let digit = first
      do {
        value = value * 10 + (digit - 0x30)
        digit = frame[++at] ?? 0
      } while (digit >= 0x30 && digit <= 0x39)
      const digits = at - start
      if (digits > maxDigits || (first === 0x30 && digits > 1) || !Number.isSafeInteger(value)) return false
      if (key === 0x74) tradeId = value
      else if (key === 0x54) tradeTime = value
      else if (key === 0x65 || key === 0x73) return false
    } else {
      if (key === 0x65 || key === 0x73 || key === 0x74 || key === 0x54) return false
      const length = literalLength(frame, at)
      if (length === 0) return false
      if (first === 0x74 && isFillKey(frame, keyStart)) into.isFill = true
      at += length
    }
    const next = frame[at++]
    if (next === comma) continue
    if (next !== close) return false
    break
  }
  if (isWrapped && frame[at++] !== close) return false
  if (at !== end || eventStart < 0) return false
  if (eventEnd - eventStart !== 5 || !startsWith(frame, tradeEvent, eventStart)) {
    if (eventEnd === eventStart) return false
    // A word of our own comes seldom and has more to it.
    if (!isWrapped && eventEnd - eventStart === 3 && startsWith(frame, gapEvent, eventStart)) return false
    into.kind = 'other'
    into.detail = frame.toString('latin1', eventStart, Math.min(eventEnd, eventStart + maxNameLength))
    return true
  }
  if (symbolStart < 0 || symbolEnd === symbolStart || symbolEnd - symbolStart > maxSymbolLength) return false
  if (tradeId < 0 || tradeTime < 0) return false
  into.kind = 'trade'
  into.symbol = frame.toString('latin1', symbolStart, symbolEnd)
  into.tradeId = tradeId
  into.tradeTime = tradeTime
  return true
}

/** 1 for printable ASCII without quote and backslash: what a string of JSON holds as it stands. */
const plainBytes = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x7f && byte !== quote && byte !== 0x5c ? 1 : 0,
)

/** Where the plain bytes from `at` on end. */
function plainEnd(frame: Buffer, at: number): number {
  while (plainBytes[frame[at] as number] === 1) at++
  return at
}

function startsWith(frame: Buffer, text: Buffer, at: number): boolean {
  for (let index = 0; index < text.length; index++) if (frame[at + index] !== text[index]) return false
  return true
}

const literals = [Buffer.from('true'), Buffer.from('false'), Buffer.from('null')]

function literalLength(frame: Buffer, at: number): number {
  for (const literal of literals) if (startsWith(frame, literal, at)) return literal.length
  return 0
}

const fillKey = Buffer.from('fill"')

function isFillKey(frame: Buffer, keyStart: number): boolean {
  return startsWith(frame, fillKey, keyStart)
}

const maxSymbolLength = 64
const maxNameLength = 32
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function parseWhole(frame: Buffer, into: FramePeek): FramePeek {
  let parsed: unknown
  try {
    parsed = JSON.parse(utf8.decode(frame))
  } catch {
    return unreadable(into, 'not JSON')
  }
  if (!isObject(parsed)) return unreadable(into, 'not an object')
  const stream = typeof parsed.stream === 'string' && 'data' in parsed ? parsed.stream : null
  const payload: unknown = stream === null ? parsed : parsed.data
  const event = isObject(payload) ? payload.e : undefined
  if (event === undefined && stream !== null && !/@trade$/i.test(stream)) return other(into, streamEvent(stream))
  if (!isObject(payload)) return unreadable(into, 'no object in data')
  if (event === undefined) return withoutEvent(payload, into)
  if (typeof event !== 'string' || event === '') return unreadable(into, 'e is not an event type')
  if (event === 'gap' && stream === null) return gap(payload, into)
  if (event !== 'trade') return other(into, event)
  const { s: symbol, t: tradeId, T: tradeTime } = payload
  if (typeof symbol !== 'string' || symbol === '' || symbol.length > maxSymbolLength)
    return unreadable(into, 's is not a symbol')
  if (typeof tradeId !== 'number' || !Number.isSafeInteger(tradeId)) return unreadable(into, 't is not a trade id')
  if (typeof tradeTime !== 'number' || !Number.isSafeInteger(tradeTime)) return unreadable(into, 'T is not a time')
  into.kind = 'trade'
  into.symbol = symbol.toWellFormed()
  into.tradeId = tradeId
  into.tradeTime = tradeTime
  into.isFill = payload.fill === true
  return into
}

function gap({ s: symbol }: Record<string, unknown>, into: FramePeek): FramePeek {
  if (typeof symbol !== 'string' || symbol === '' || symbol.length > maxSymbolLength)
    return unreadable(into, 's is not a symbol')
  into.kind = 'gap'
  into.symbol = symbol.toWellFormed()
  return into
}

/** Streams of the exchange whose payload carries no event type, and the replies to SUBSCRIBE and its like. */
function withoutEvent(payload: Record<string, unknown>, into: FramePeek): FramePeek {
  if ('u' in payload && 'b' in payload && 'a' in payload) return other(into, 'bookTicker')
  if ('lastUpdateId' in payload && 'bids' in payload && 'asks' in payload) return other(into, 'depth')
  if ('id' in payload && ('result' in payload || 'error' in payload)) return other(into, 'reply')
  return unreadable(into, 'no event type')
}

function other(into: FramePeek, event: string): FramePeek {
  into.kind = 'other'
  into.detail = event.slice(0, maxNameLength)
  return into
}

function unreadable(into: FramePeek, why: string): FramePeek {
  into.kind = 'unreadable'
  into.detail = why
  return into
}

/** `depth5` of `btcusdt@depth5@100ms`. */
function streamEvent(stream: string): string {
  return stream.slice(stream.indexOf('@') + 1).split('@')[0] || 'unnamed'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
