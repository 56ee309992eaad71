import type { z } from 'zod'
import { SchemaReader } from '../codecs/schemaReader.ts'
import type { Fixed8 } from '../exact/decimal.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import type { Codec, Lender, Rejection } from '../runtime/log/codec.ts'
import type { RecordFacts, RecordView } from '../runtime/log/record.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import { gapOf, gapSchema } from './feedGap.ts'
import { frameSchemas, heartbeatOf, symbolPattern, type TradeFields, type TradeRules, tradeOf } from './frame.ts'
import { malformed, rejectionOf } from './frameRejection.ts'
import { isOtherFrame } from './otherFrames.ts'
import type { TimeUnit } from './timeUnit.ts'
import type { Market, MarketEvent } from './trade.ts'
import { TradeLender } from './tradeLender.ts'

/** What the fast path says when it does not know: ask the interpreter. */
export const INVALID: unique symbol = Symbol('INVALID')
export type INVALID = typeof INVALID

/** Which trades `tradeCodec` takes, and how it reads their times. */
export interface TradeCodecOptions {
  readonly market: Market
  /** The unit of the times in the frames, as it was asked for when connecting; never guessed from their size. */
  readonly timeUnit: TimeUnit
  /** Trades of other symbols are rejected as `unknown-symbol`. Without it every symbol is taken. */
  readonly symbols?: Iterable<string>
}

const rules: OptionRules<TradeCodecOptions> = {
  market: needed.oneOf('spot', 'usdm', 'simulated'),
  timeUnit: needed.oneOf('ms', 'us'),
  symbols: optional.such(
    'a list of symbols',
    (value) => typeof value === 'object' && value !== null && Symbol.iterator in value,
  ),
}

type Decoded = MarketEvent | Rejection | undefined

/**
 * Turns frames of the exchange, combined or bare, heartbeats and words on missing trades into market events. Undefined for frames of other streams, for fills that no
 * candle counts and for trades of price or quantity zero; a rejection for whatever should have been a trade and is not.
 *
 * Throws ConfigurationError for a symbol that the exchange cannot have.
 */
export function tradeCodec(options: TradeCodecOptions): TradeCodec {
  checkOptions('tradeCodec', options, rules)
  const symbols = options.symbols === undefined ? null : new Set(options.symbols)
  for (const symbol of symbols ?? []) {
    if (symbolPattern.test(symbol)) continue
    throw new ConfigurationError(
      `tradeCodec: symbols must be in upper case, such as BTCUSDT; got ${JSON.stringify(symbol)}.`,
    )
  }
  return new TradeCodec({ market: options.market, timeUnit: options.timeUnit, symbols })
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Two ways to the same result: in place, which may give up, and by JSON.parse and zod, which alone explains what is wrong. */
export class TradeCodec implements Codec<MarketEvent> {
  private readonly rules: TradeRules
  private readonly schemas: ReturnType<typeof frameSchemas>
  private readonly combined: PayloadReader
  private readonly bare: PayloadReader
  private readonly heartbeat: SchemaReader
  private readonly heartbeatTime: number

  constructor(rules: TradeRules) {
    this.rules = rules
    this.schemas = frameSchemas(rules.timeUnit)
    this.combined = new PayloadReader(this.schemas.combined, 'data.')
    this.bare = new PayloadReader(this.schemas.bare, '')
    this.heartbeat = new SchemaReader(this.schemas.heartbeat)
    this.heartbeatTime = this.heartbeat.slot('E')
  }

  decode(record: RecordView, facts?: RecordFacts): Decoded {
    if (record.valueLength < 0) return malformed('the record has no value')
    const end = record.valueStart + record.valueLength
    const event = this.decodeFast(record.buffer, record.valueStart, end)
    if (event === INVALID) return this.interpret(record.buffer, record.valueStart, end)
    if (facts !== undefined) facts.isJsonObject = true
    return event
  }

  /** What `interpret` would say of the bytes `[start, end)`, or INVALID. */
  decodeFast(buffer: Buffer, start: number, end: number): Decoded | INVALID {
    if (this.combined.reader.readKnown(buffer, start, end)) return tradeOf(this.combined, this.rules)
    if (this.bare.reader.readKnown(buffer, start, end)) return tradeOf(this.bare, this.rules)
    if (this.heartbeat.readKnown(buffer, start, end)) return heartbeatOf(this.heartbeat.number(this.heartbeatTime))
    return this.learn(buffer, start, end)
  }

  /** What the frame in the bytes `[start, end)` says, by JSON.parse and zod. Slow; it alone explains what is wrong. */
  interpret(buffer: Buffer, start: number, end: number): Decoded {
    let frame: unknown
    try {
      frame = JSON.parse(decoder.decode(buffer.subarray(start, end)))
    } catch (error) {
      // Both messages would quote the frame.
      return malformed(`${error instanceof TypeError ? 'not UTF-8 text' : 'not JSON'}, ${end - start} bytes`)
    }
    if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) {
      return isOtherFrame(frame) ? undefined : malformed(`JSON, but not an object, ${end - start} bytes`)
    }
    if ('stream' in frame || 'data' in frame) {
      const combined = this.schemas.combined.safeParse(frame)
      if (combined.success) return tradeOf(combined.data.data, this.rules)
      return isOtherFrame(frame) ? undefined : rejectionOf(combined.error, frame, this.rules.timeUnit)
    }
    if ('e' in frame && frame.e === 'gap') {
      const gap = gapSchema.safeParse(frame)
      return gap.success ? gapOf(gap.data, this.rules.market) : rejectionOf(gap.error, frame, 'ms')
    }
    if ('e' in frame && frame.e === 'heartbeat') {
      const heartbeat = this.schemas.heartbeat.safeParse(frame)
      return heartbeat.success ? heartbeatOf(heartbeat.data.E) : rejectionOf(heartbeat.error, frame, 'ms')
    }
    const bare = this.schemas.bare.safeParse(frame)
    if (bare.success) return tradeOf(bare.data, this.rules)
    return isOtherFrame(frame) ? undefined : rejectionOf(bare.error, frame, this.rules.timeUnit)
  }

  /** Undefined for a codec that is made of this one and has a `decode` of its own. */
  get lender(): ((rows: number) => Lender<MarketEvent>) | undefined {
    if (this.decode !== TradeCodec.prototype.decode) return undefined
    return (rows) => new TradeLender(this.schemas, this.rules, rows)
  }

  private learn(buffer: Buffer, start: number, end: number): Decoded | INVALID {
    if (this.combined.reader.learn(buffer, start, end)) return tradeOf(this.combined, this.rules)
    if (this.bare.reader.learn(buffer, start, end)) return tradeOf(this.bare, this.rules)
    if (this.heartbeat.learn(buffer, start, end)) return heartbeatOf(this.heartbeat.number(this.heartbeatTime))
    return INVALID
  }
}

/** The payload that was read last, with the names that the exchange gives its fields. */
class PayloadReader implements TradeFields {
  readonly reader: SchemaReader
  private readonly slots: Readonly<Record<keyof TradeFields, number>>

  constructor(schema: z.ZodType, prefix: '' | 'data.') {
    const reader = new SchemaReader(schema)
    const slot = (name: keyof TradeFields) => reader.slot(prefix + name)
    this.reader = reader
    this.slots = {
      ...{ s: slot('s'), t: slot('t'), p: slot('p'), q: slot('q'), T: slot('T'), X: slot('X'), m: slot('m') },
      ...{ fill: slot('fill'), epoch: slot('epoch') },
    }
  }

  get s(): string {
    return this.reader.text(this.slots.s)
  }

  get t(): number {
    return this.reader.number(this.slots.t)
  }

  get p(): Fixed8 {
    return this.reader.fixed8(this.slots.p)
  }

  get q(): Fixed8 {
    return this.reader.fixed8(this.slots.q)
  }

  get T(): number {
    return this.reader.number(this.slots.T)
  }

  get X(): string | undefined {
    return this.reader.has(this.slots.X) ? this.reader.text(this.slots.X) : undefined
  }

  get m(): boolean {
    return this.reader.boolean(this.slots.m)
  }

  get fill(): boolean | undefined {
    return this.reader.has(this.slots.fill) ? this.reader.boolean(this.slots.fill) : undefined
  }

  get epoch(): number | undefined {
    return this.reader.has(this.slots.epoch) ? this.reader.number(this.slots.epoch) : undefined
  }
}
