import { z } from 'zod'
import type { Fixed8 } from '../../exact/decimal.ts'
import { fixed8Schema } from '../../exact/fixed8Schema.ts'
import type { Codec } from '../../runtime/log/codec.ts'
import { type KlineInterval, klineIntervals } from '../klineInterval.ts'
import { id, idOrNone, symbolField } from './payloadParts.ts'
import { qualityRules } from './qualityRules.ts'
import { StreamCodec, type StreamCodecOptions, type StreamRecord, type StreamSpec } from './streamCodec.ts'

/** A candle of the exchange's own making, as far as it is when the frame is sent. */
export interface Kline extends StreamRecord {
  readonly type: 'kline'
  readonly interval: KlineInterval
  /** When the exchange sent it, ms UTC. */
  readonly eventTime: number
  /** First ms of the candle, UTC. */
  readonly openTime: number
  /** Last ms of the candle, UTC, inclusive. */
  readonly closeTime: number
  /** Of the first trade. */
  readonly open: Fixed8
  /** The highest price so far. */
  readonly high: Fixed8
  /** The lowest price so far. */
  readonly low: Fixed8
  /** Of the last trade so far. */
  readonly close: Fixed8
  /** Base asset. */
  readonly volume: Fixed8
  /** Quote asset. */
  readonly quoteVolume: Fixed8
  /** How many trades it has so far. */
  readonly tradeCount: number
  /** The part of `volume` in which the taker bought. */
  readonly takerBuyVolume: Fixed8
  /** The part of `quoteVolume` in which the taker bought. */
  readonly takerBuyQuoteVolume: Fixed8
  /** -1 where there was no trade. */
  readonly firstTradeId: number
  /** -1 where there was no trade. */
  readonly lastTradeId: number
  /** True for the last frame of a candle. */
  readonly isClosed: boolean
}

const payload = (time: z.ZodInt) =>
  z.object({
    e: z.literal('kline'),
    E: time,
    s: symbolField,
    k: z.object({
      t: time,
      T: time,
      i: z.enum(klineIntervals),
      f: idOrNone,
      L: idOrNone,
      o: fixed8Schema,
      c: fixed8Schema,
      h: fixed8Schema,
      l: fixed8Schema,
      v: fixed8Schema,
      n: id,
      x: z.boolean(),
      q: fixed8Schema,
      V: fixed8Schema,
      Q: fixed8Schema,
    }),
  })

const spec: StreamSpec<z.output<ReturnType<typeof payload>>, Kline, keyof Kline> = {
  kind: 'kline',
  codecName: 'klineCodec',
  payload,
  valueOf: ({ E, s, k }, _stream, { market, toMs }) => ({
    type: 'kline',
    market,
    symbol: s,
    interval: k.i,
    eventTime: toMs(E),
    openTime: toMs(k.t),
    closeTime: toMs(k.T),
    open: k.o,
    high: k.h,
    low: k.l,
    close: k.c,
    volume: k.v,
    quoteVolume: k.q,
    tradeCount: k.n,
    takerBuyVolume: k.V,
    takerBuyQuoteVolume: k.Q,
    firstTradeId: k.f,
    lastTradeId: k.L,
    isClosed: k.x,
  }),
  rules: qualityRules.kline,
}

/**
 * Reads frames of `<symbol>@kline_<interval>`, all intervals, and scores them.
 * Throws ConfigurationError for a symbol that the exchange cannot have and for rules that give no score.
 */
export function klineCodec(options: StreamCodecOptions<keyof Kline>): Codec<Kline> {
  return new StreamCodec(spec, options)
}
