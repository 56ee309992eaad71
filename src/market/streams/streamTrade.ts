import { z } from 'zod'
import type { Fixed8 } from '../../exact/decimal.ts'
import { fixed8Schema } from '../../exact/fixed8Schema.ts'
import type { Codec } from '../../runtime/log/codec.ts'
import { id, symbolField } from './payloadParts.ts'
import { qualityRules } from './qualityRules.ts'
import { StreamCodec, type StreamCodecOptions, type StreamRecord, type StreamSpec } from './streamCodec.ts'

/** One trade of the stream `<symbol>@trade`, with what the exchange says beside what a candle needs. For candles use `tradeCodec`, which is faster. */
export interface StreamTrade extends StreamRecord {
  readonly type: 'trade'
  /** The exchange's `E`: when it sent the frame, ms UTC. */
  readonly eventTime: number
  /** Grows by one per trade and symbol on spot. */
  readonly tradeId: number
  /** Quote asset for one unit of the base asset. */
  readonly price: Fixed8
  /** Base asset. */
  readonly quantity: Fixed8
  /** The exchange's `T`, ms UTC. */
  readonly tradeTime: number
  /** True when the buyer's order was resting, so that the taker sold. */
  readonly isBuyerMaker: boolean
  /** The kind of fill on futures, such as `MARKET`; null where the exchange says none. */
  readonly fill: string | null
}

const payload = (time: z.ZodInt) =>
  z.object({
    e: z.literal('trade'),
    E: time,
    s: symbolField,
    t: id,
    p: fixed8Schema,
    q: fixed8Schema,
    T: time,
    X: z.string().max(40).optional(),
    m: z.boolean(),
  })

const spec: StreamSpec<z.output<ReturnType<typeof payload>>, StreamTrade, keyof StreamTrade> = {
  kind: 'trade',
  codecName: 'streamTradeCodec',
  payload,
  valueOf: (frame, _stream, { market, toMs }) => ({
    type: 'trade',
    market,
    symbol: frame.s,
    eventTime: toMs(frame.E),
    tradeId: frame.t,
    price: frame.p,
    quantity: frame.q,
    tradeTime: toMs(frame.T),
    isBuyerMaker: frame.m,
    fill: frame.X ?? null,
  }),
  rules: qualityRules.trade,
}

/**
 * Reads frames of `<symbol>@trade` with all that they say, and scores them. Unlike `tradeCodec` it gives every fill and every price, also zero, and no heartbeats.
 * Throws ConfigurationError for a symbol that the exchange cannot have and for rules that give no score.
 */
export function streamTradeCodec(options: StreamCodecOptions<keyof StreamTrade>): Codec<StreamTrade> {
  return new StreamCodec(spec, options)
}
