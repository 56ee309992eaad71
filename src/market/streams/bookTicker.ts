import { z } from 'zod'
import type { Fixed8 } from '../../exact/decimal.ts'
import { fixed8Schema } from '../../exact/fixed8Schema.ts'
import type { Codec } from '../../runtime/log/codec.ts'
import { id, symbolField } from './payloadParts.ts'
import { qualityRules } from './qualityRules.ts'
import { StreamCodec, type StreamCodecOptions, type StreamRecord, type StreamSpec } from './streamCodec.ts'

/** Best bid and ask of a symbol. */
export interface BookTicker extends StreamRecord {
  readonly type: 'bookTicker'
  /** When the exchange sent it, ms UTC. Spot does not say: there it is the time of the record, or null where that has none. */
  readonly eventTime: number | null
  /** Of the order book: grows. */
  readonly updateId: number
  /** Highest price that somebody offers to pay, in counts of 1e-8. */
  readonly bid: Fixed8
  /** Base asset. */
  readonly bidQuantity: Fixed8
  /** Lowest price that somebody asks, in counts of 1e-8. */
  readonly ask: Fixed8
  /** Base asset. */
  readonly askQuantity: Fixed8
}

const payload = (time: z.ZodInt) =>
  z.object({
    e: z.literal('bookTicker').optional(),
    E: time.optional(),
    u: id,
    s: symbolField,
    b: fixed8Schema,
    B: fixed8Schema,
    a: fixed8Schema,
    A: fixed8Schema,
  })

const spec: StreamSpec<z.output<ReturnType<typeof payload>>, BookTicker, keyof BookTicker> = {
  kind: 'bookTicker',
  codecName: 'bookTickerCodec',
  payload,
  valueOf: (frame, _stream, { market, toMs, timestamp }) => ({
    type: 'bookTicker',
    market,
    symbol: frame.s,
    eventTime: frame.E === undefined ? timestamp : toMs(frame.E),
    updateId: frame.u,
    bid: frame.b,
    bidQuantity: frame.B,
    ask: frame.a,
    askQuantity: frame.A,
  }),
  rules: qualityRules.bookTicker,
}

/**
 * Reads frames of `<symbol>@bookTicker` and scores them.
 * Throws ConfigurationError for a symbol that the exchange cannot have and for rules that give no score.
 */
export function bookTickerCodec(options: StreamCodecOptions<keyof BookTicker>): Codec<BookTicker> {
  return new StreamCodec(spec, options)
}
