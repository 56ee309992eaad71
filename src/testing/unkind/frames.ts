import type { Random } from '../random.ts'
import { decimalText, type TrueTrade } from './naiveCandles.ts'

/** Whose frames are written: those of spot or of futures, with times in `timeUnit`. */
export interface FrameStyle {
  readonly market: 'spot' | 'usdm'
  readonly timeUnit: 'ms' | 'us'
}

interface FrameFields {
  readonly [name: string]: unknown
}

/** The trade as the exchange would send it: mostly plain, now and then reordered, extended, spaced out or escaped. */
export function tradeFrame(trade: TrueTrade, style: FrameStyle, random: Random): Buffer {
  return frameOf(trade, fieldsOf(trade, style, random), random)
}

/** A frame that holds a sound trade in every respect but some fields. */
export function alteredFrame(trade: TrueTrade, altered: FrameFields, style: FrameStyle, random: Random): Buffer {
  return frameOf(trade, { ...fieldsOf(trade, style, random), ...altered }, random)
}

/** A heartbeat as the ingest writes it into a quiet partition. */
export function heartbeatFrame(time: number): Buffer {
  return Buffer.from(JSON.stringify({ e: 'heartbeat', E: time }))
}

/** In the unit of the connection; a microsecond feed carries digits below the millisecond. */
export function timeInUnit(ms: number, style: FrameStyle, random: Random): number {
  return style.timeUnit === 'ms' ? ms : ms * 1000 + random.int(0, 999)
}

function fieldsOf(trade: TrueTrade, style: FrameStyle, random: Random): FrameFields {
  return {
    e: 'trade',
    E: timeInUnit(trade.tradeTime + random.int(0, 5), style, random),
    s: trade.symbol,
    t: trade.tradeId,
    p: decimalText(trade.price, 8),
    q: decimalText(trade.quantity, 8),
    T: timeInUnit(trade.tradeTime, style, random),
    ...(style.market === 'usdm' ? { X: 'MARKET' } : {}),
    m: trade.isBuyerMaker,
    ...(style.market === 'spot' ? { M: true } : {}),
  }
}

function frameOf(trade: TrueTrade, fields: FrameFields, random: Random): Buffer {
  const entries = Object.entries(fields)
  const isOrdinary = random.chance(0.85)
  const ordered = isOrdinary ? entries : random.shuffle([...entries, ['future', { nested: ['}', 1, null] }] as const])
  const payload = Object.fromEntries(ordered)
  const whole = random.chance(0.7) ? { stream: `${trade.symbol.toLowerCase()}@trade`, data: payload } : payload
  const text = JSON.stringify(whole, null, isOrdinary ? 0 : random.int(0, 2))
  return Buffer.from(isOrdinary ? text : text.replace(trade.symbol, escaped(trade.symbol)))
}

/** The first letter as a JSON escape: the same text, other bytes. */
function escaped(symbol: string): string {
  return `\\u${symbol.charCodeAt(0).toString(16).padStart(4, '0')}${symbol.slice(1)}`
}

/** Bytes that are no trade and no heartbeat: each must become a dead letter and change nothing else. */
export function brokenFrame(trade: TrueTrade, style: FrameStyle, random: Random): Buffer | null {
  const sound = tradeFrame(trade, style, random)
  const altered = (fields: FrameFields) => alteredFrame(trade, fields, style, random)
  const makers: readonly (() => Buffer | null)[] = [
    () => sound.subarray(0, random.int(1, sound.length - 1)),
    () => Buffer.from(Array.from({ length: random.int(1, 60) }, () => random.int(128, 255))),
    () => Buffer.concat([sound, Buffer.from(random.pick(['}', ',', '\u0000', '{}', '1']))]),
    () => Buffer.from('['.repeat(random.int(1, 3_000))),
    () => Buffer.alloc(0),
    () => Buffer.from(random.pick(['null', 'true', '0', '"trade"', '[]', '{}'])),
    () => altered({ p: random.pick([1.5, null, true, [], {}]) }),
    () => altered({ p: random.pick(['1e999', '-1.00000000', 'NaN', '', ' ', '0x10', '1.', '1,5', '１']) }),
    () => altered({ q: random.pick(['1e5', '-0.5', 'Infinity', '++1', '9'.repeat(400)]) }),
    () => altered({ t: random.pick([-1, 1.5, '17', null, 2 ** 60]) }),
    () => altered({ T: random.pick([null, '1723161600000', 1.5, -1, {}]) }),
    () => altered({ s: random.pick([null, 5, '', ['BTCUSDT']]) }),
    () => altered({ m: random.pick(['yes', 0, null]) }),
  ]
  return random.pick(makers)()
}
