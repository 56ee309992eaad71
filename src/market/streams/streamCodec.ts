import { z } from 'zod'
import { type JsonCodec, jsonCodec } from '../../codecs/jsonCodec.ts'
import { isTooDeep } from '../../codecs/jsonText.ts'
import { utf8Text } from '../../codecs/utf8.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { type Codec, Rejection } from '../../runtime/log/codec.ts'
import type { RecordFacts, RecordView } from '../../runtime/log/record.ts'
import { checkOptions, needed, type OptionRules, optional } from '../../runtime/options.ts'
import { symbolPattern } from '../frame.ts'
import { malformed, rejectionOf } from '../frameRejection.ts'
import { earliestTradeMs, latestTradeMs, type TimeUnit, unitsPerMs } from '../timeUnit.ts'
import type { Market } from '../trade.ts'
import { frameKindOf, isCombined, type StreamKind } from './frameKind.ts'
import { type QualityRule, qualityOf, requireQualityRules } from './quality.ts'
import { receivedAtOf } from './receivedAt.ts'

/** Which records a codec of a stream takes, how it reads their times, and how it scores them. */
export interface StreamCodecOptions<F extends string = string> {
  readonly market: Market
  /** The unit of the times in the frames, as it was asked for when connecting; never guessed from their size. */
  readonly timeUnit: TimeUnit
  /** Records of other symbols are rejected as `unknown-symbol`. Without it every symbol is taken. */
  readonly symbols?: Iterable<string>
  /** When the frame of a record was received, ms UTC, or null where nobody knows: then no rule about it counts. Without it, what the feed has noted on the record. */
  readonly receivedAt?: (record: RecordView) => number | null
  /** The rules of the score. Without it those of `qualityRules` for the stream. */
  readonly quality?: readonly QualityRule<F>[]
}

const optionRules: OptionRules<StreamCodecOptions> = {
  market: needed.oneOf('spot', 'usdm', 'simulated'),
  timeUnit: needed.oneOf('ms', 'us'),
  symbols: optional.such(
    'a list of symbols',
    (value) => typeof value === 'object' && value !== null && Symbol.iterator in value,
  ),
  receivedAt: optional.callback,
  quality: optional.list,
}

/** What every record of a stream has. */
export interface StreamRecord {
  readonly market: Market
  /** In upper case, as the exchange writes it. */
  readonly symbol: string
  /** A whole number from 0 to 100, by `qualityOf`. */
  readonly quality: number
}

/** What a payload alone does not say. */
export interface ReadPlace {
  readonly market: Market
  /** ms UTC of a time of the frame, rounded down. */
  readonly toMs: (time: number) => number
  /** By the record's key, in upper case; null where the record has none. */
  readonly keyText: () => string | null
  /** The record's own time, ms UTC; null where it has none. */
  readonly timestamp: number | null
}

/** What sets one stream apart from the others. */
export interface StreamSpec<P, V extends StreamRecord, F extends string> {
  readonly kind: StreamKind
  /** For messages: `klineCodec`. */
  readonly codecName: string
  /** The schema of the payload, which is an object. */
  readonly payload: (time: z.ZodInt, options: Pick<StreamCodecOptions, 'market'>) => z.ZodType<P> & z.ZodObject
  /** The record of a payload, without its quality. @param stream the name of the stream; null for a bare frame */
  readonly valueOf: (payload: P, stream: string | null, place: ReadPlace) => Omit<V, 'quality'> | Rejection
  readonly rules: readonly QualityRule<F>[]
}

const forbidden = z.never().optional()

/**
 * Reads the frames of one stream, combined or bare: a record with its quality, undefined for frames of other streams, heartbeats and answers to requests, a rejection
 * for what should have been a record of this stream and is none, or is nothing that is known.
 */
export class StreamCodec<P, V extends StreamRecord, F extends string> implements Codec<V> {
  private readonly spec: StreamSpec<P, V, F>
  private readonly options: StreamCodecOptions<F>
  private readonly symbols: ReadonlySet<string> | null
  private readonly rules: readonly QualityRule<F>[]
  private readonly combinedSchema: z.ZodType<{ stream: string; data: P }>
  private readonly bareSchema: z.ZodType<P>
  private readonly combined: JsonCodec<{ stream: string; data: P }>
  private readonly bare: JsonCodec<P>
  private readonly toMs: (time: number) => number

  /** Throws `ConfigurationError` for a symbol that the exchange cannot have and for rules that give no score. */
  constructor(spec: StreamSpec<P, V, F>, options: StreamCodecOptions<F>) {
    checkOptions(spec.codecName, options, optionRules)
    this.spec = spec
    this.options = options
    this.rules = options.quality ?? spec.rules
    requireQualityRules(this.rules)
    this.symbols = options.symbols === undefined ? null : checkedSymbols(spec.codecName, options.symbols)
    const factor = unitsPerMs[options.timeUnit]
    const time = z
      .int()
      .min(earliestTradeMs * factor)
      .max(latestTradeMs * factor + factor - 1)
    this.toMs = factor === 1 ? (ms) => ms : (units) => Math.floor(units / factor)
    const payload = spec.payload(time, options)
    this.combinedSchema = z.object({ stream: z.string(), data: payload })
    // Extending keeps the type of the payload, which zod cannot tell of a schema that it knows by its interface alone.
    this.bareSchema = payload.extend({ stream: forbidden, data: forbidden }) as unknown as z.ZodType<P>
    this.combined = jsonCodec(this.combinedSchema)
    this.bare = jsonCodec(this.bareSchema)
  }

  decode(record: RecordView, facts?: RecordFacts): V | Rejection | undefined {
    if (record.valueLength < 0) return malformed('the record has no value')
    const end = record.valueStart + record.valueLength
    const combined = this.combined.readInPlace(record.buffer, record.valueStart, end)
    if (combined !== undefined) {
      if (facts !== undefined) facts.isJsonObject = true
      return this.finish(combined.data, combined.stream, record)
    }
    const bare = this.bare.readInPlace(record.buffer, record.valueStart, end)
    if (bare !== undefined) {
      if (facts !== undefined) facts.isJsonObject = true
      return this.finish(bare, null, record)
    }
    return this.interpret(record, end)
  }

  private interpret(record: RecordView, end: number): V | Rejection | undefined {
    const text = utf8Text(record.buffer, record.valueStart, end)
    if (text instanceof Rejection) return malformed(`not UTF-8 text, ${record.valueLength} bytes`)
    if (isTooDeep(record.buffer, record.valueStart, end))
      return malformed(`nested too deep, ${record.valueLength} bytes`)
    let frame: unknown
    try {
      frame = JSON.parse(text)
    } catch {
      // The message would quote the frame.
      return malformed(`not JSON, ${record.valueLength} bytes`)
    }
    if (!this.isMine(frame)) {
      const { byName, byPayload } = frameKindOf(frame)
      return byName === null && byPayload === null
        ? malformed(`of no stream that is known, ${record.valueLength} bytes`)
        : undefined
    }
    if (isCombined(frame as object)) {
      const result = this.combinedSchema.safeParse(frame)
      if (!result.success) return rejectionOf(result.error, frame, this.options.timeUnit)
      return this.finish(result.data.data, result.data.stream, record)
    }
    const result = this.bareSchema.safeParse(frame)
    return result.success
      ? this.finish(result.data, null, record)
      : rejectionOf(result.error, frame, this.options.timeUnit)
  }

  /** Where name and payload differ the payload decides, but that a partial book of the futures has the payload of a change. */
  private isMine(frame: unknown): boolean {
    const { byName, byPayload } = frameKindOf(frame)
    const { kind } = this.spec
    return byName === kind || (byPayload === kind && byName !== 'partialDepth')
  }

  private finish(payload: P, stream: string | null, record: RecordView): V | Rejection {
    const { market, receivedAt = receivedAtOf } = this.options
    const value = this.spec.valueOf(payload, stream, {
      market,
      toMs: this.toMs,
      keyText: () => record.keyText()?.toUpperCase() ?? null,
      timestamp: record.timestamp < 0 ? null : record.timestamp,
    })
    if (value instanceof Rejection) return value
    if (this.symbols !== null && !this.symbols.has(value.symbol)) {
      return new Rejection(
        'unknown-symbol',
        `${value.symbol} is none of the ${this.symbols.size} symbols of this pipeline`,
      )
    }
    const quality = qualityOf(value, this.rules, receivedAt(record))
    return { ...value, quality } as V
  }
}

function checkedSymbols(codecName: string, symbols: Iterable<string>): ReadonlySet<string> {
  const checked = new Set(symbols)
  for (const symbol of checked) {
    if (symbolPattern.test(symbol)) continue
    throw new ConfigurationError(
      `${codecName}: symbols must be in upper case, such as BTCUSDT; got ${JSON.stringify(symbol)}.`,
    )
  }
  return checked
}
