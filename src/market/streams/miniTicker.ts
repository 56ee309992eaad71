import { z } from 'zod'
import type { Fixed8 } from '../../exact/decimal.ts'
import { fixed8Schema } from '../../exact/fixed8Schema.ts'
import type { Codec } from '../../runtime/log/codec.ts'
import { symbolField } from './payloadParts.ts'
import { qualityRules } from './qualityRules.ts'
import { StreamCodec, type StreamCodecOptions, type StreamRecord, type StreamSpec } from './streamCodec.ts'

/** The last 24 hours of a symbol, rolling, in short. */
export interface MiniTicker extends StreamRecord {
  readonly type: 'miniTicker'
  /** When the exchange sent it, ms UTC. */
  readonly eventTime: number
  /** First price of the window. */
  readonly open: Fixed8
  /** Highest price of the window. */
  readonly high: Fixed8
  /** Lowest price of the window. */
  readonly low: Fixed8
  /** Last price. */
  readonly close: Fixed8
  /** Base asset. */
  readonly volume: Fixed8
  /** Quote asset. */
  readonly quoteVolume: Fixed8
}

const payload = (time: z.ZodInt) =>
  z.object({
    e: z.literal('24hrMiniTicker'),
    E: time,
    s: symbolField,
    c: fixed8Schema,
    o: fixed8Schema,
    h: fixed8Schema,
    l: fixed8Schema,
    v: fixed8Schema,
    q: fixed8Schema,
  })

const spec: StreamSpec<z.output<ReturnType<typeof payload>>, MiniTicker, keyof MiniTicker> = {
  kind: 'miniTicker',
  codecName: 'miniTickerCodec',
  payload,
  valueOf: (frame, _stream, { market, toMs }) => ({
    type: 'miniTicker',
    market,
    symbol: frame.s,
    eventTime: toMs(frame.E),
    open: frame.o,
    high: frame.h,
    low: frame.l,
    close: frame.c,
    volume: frame.v,
    quoteVolume: frame.q,
  }),
  rules: qualityRules.miniTicker,
}

/**
 * Reads frames of `<symbol>@miniTicker` and scores them; those of all symbols at once (`!miniTicker@arr`) are passed over.
 * Throws ConfigurationError for a symbol that the exchange cannot have and for rules that give no score.
 */
export function miniTickerCodec(options: StreamCodecOptions<keyof MiniTicker>): Codec<MiniTicker> {
  return new StreamCodec(spec, options)
}
