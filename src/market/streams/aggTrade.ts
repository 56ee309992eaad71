import { z } from 'zod'
import type { Fixed8 } from '../../exact/decimal.ts'
import { fixed8Schema } from '../../exact/fixed8Schema.ts'
import type { Codec } from '../../runtime/log/codec.ts'
import { id, symbolField } from './payloadParts.ts'
import { qualityRules } from './qualityRules.ts'
import { StreamCodec, type StreamCodecOptions, type StreamRecord, type StreamSpec } from './streamCodec.ts'

/** The fills of one taker order at one price, as one record. */
export interface AggTrade extends StreamRecord {
  readonly type: 'aggTrade'
  /** When the exchange sent it, ms UTC. */
  readonly eventTime: number
  /** Its own ids: not those of trades. */
  readonly aggTradeId: number
  /** Quote asset for one unit of the base asset. */
  readonly price: Fixed8
  /** Base asset, all fills together. */
  readonly quantity: Fixed8
  /** The first of its trades. */
  readonly firstTradeId: number
  /** The last of its trades. */
  readonly lastTradeId: number
  /** ms UTC. */
  readonly tradeTime: number
  /** True when the buyer's order was resting, so that the taker sold. */
  readonly isBuyerMaker: boolean
}

const payload = (time: z.ZodInt) =>
  z.object({
    e: z.literal('aggTrade'),
    E: time,
    s: symbolField,
    a: id,
    p: fixed8Schema,
    q: fixed8Schema,
    f: id,
    l: id,
    T: time,
    m: z.boolean(),
  })

const spec: StreamSpec<z.output<ReturnType<typeof payload>>, AggTrade, keyof AggTrade> = {
  kind: 'aggTrade',
  codecName: 'aggTradeCodec',
  payload,
  valueOf: (frame, _stream, { market, toMs }) => ({
    type: 'aggTrade',
    market,
    symbol: frame.s,
    eventTime: toMs(frame.E),
    aggTradeId: frame.a,
    price: frame.p,
    quantity: frame.q,
    firstTradeId: frame.f,
    lastTradeId: frame.l,
    tradeTime: toMs(frame.T),
    isBuyerMaker: frame.m,
  }),
  rules: qualityRules.aggTrade,
}

/**
 * Reads frames of `<symbol>@aggTrade` and scores them.
 * Throws ConfigurationError for a symbol that the exchange cannot have and for rules that give no score.
 */
export function aggTradeCodec(options: StreamCodecOptions<keyof AggTrade>): Codec<AggTrade> {
  return new StreamCodec(spec, options)
}
