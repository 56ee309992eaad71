import { z } from 'zod'
import type { Fixed8 } from '../../exact/decimal.ts'
import { fixed8Schema } from '../../exact/fixed8Schema.ts'
import { signedFixed8Schema } from '../../exact/signedFixed8Schema.ts'
import type { Codec } from '../../runtime/log/codec.ts'
import { id, idOrNone, symbolField } from './payloadParts.ts'
import { qualityRules } from './qualityRules.ts'
import { StreamCodec, type StreamCodecOptions, type StreamRecord, type StreamSpec } from './streamCodec.ts'

/** The last 24 hours of a symbol, rolling, not the day of UTC. */
export interface Ticker extends StreamRecord {
  readonly type: 'ticker'
  /** When the exchange sent it, ms UTC. */
  readonly eventTime: number
  /** `close` less `open`; below zero where the price fell. */
  readonly priceChange: Fixed8
  /** `priceChange` in percent of `open`, as the exchange rounds it. */
  readonly priceChangePercent: Fixed8
  /** Average price by volume. */
  readonly weightedAverage: Fixed8
  /** The last price before the window; null on futures, which do not say it. */
  readonly previousClose: Fixed8 | null
  /** First price of the window. */
  readonly open: Fixed8
  /** Highest price of the window. */
  readonly high: Fixed8
  /** Lowest price of the window. */
  readonly low: Fixed8
  /** Last price. */
  readonly close: Fixed8
  /** Of the last trade. Base asset. */
  readonly closeQuantity: Fixed8
  /** Null on futures. */
  readonly bid: Fixed8 | null
  /** Base asset. Null on futures. */
  readonly bidQuantity: Fixed8 | null
  /** Null on futures. */
  readonly ask: Fixed8 | null
  /** Base asset. Null on futures. */
  readonly askQuantity: Fixed8 | null
  /** Base asset. */
  readonly volume: Fixed8
  /** Quote asset. */
  readonly quoteVolume: Fixed8
  /** Begin of the window, ms UTC. */
  readonly openTime: number
  /** End of the window, ms UTC. */
  readonly closeTime: number
  /** -1 where there was no trade. */
  readonly firstTradeId: number
  /** -1 where there was no trade. */
  readonly lastTradeId: number
  /** How many trades the window has. */
  readonly tradeCount: number
}

const payload = (time: z.ZodInt) =>
  z.object({
    e: z.literal('24hrTicker'),
    E: time,
    s: symbolField,
    p: signedFixed8Schema,
    P: signedFixed8Schema,
    w: fixed8Schema,
    x: fixed8Schema.optional(),
    c: fixed8Schema,
    Q: fixed8Schema,
    b: fixed8Schema.optional(),
    B: fixed8Schema.optional(),
    a: fixed8Schema.optional(),
    A: fixed8Schema.optional(),
    o: fixed8Schema,
    h: fixed8Schema,
    l: fixed8Schema,
    v: fixed8Schema,
    q: fixed8Schema,
    O: time,
    C: time,
    F: idOrNone,
    L: idOrNone,
    n: id,
  })

const spec: StreamSpec<z.output<ReturnType<typeof payload>>, Ticker, keyof Ticker> = {
  kind: 'ticker',
  codecName: 'tickerCodec',
  payload,
  valueOf: (frame, _stream, { market, toMs }) => ({
    type: 'ticker',
    market,
    symbol: frame.s,
    eventTime: toMs(frame.E),
    priceChange: frame.p,
    priceChangePercent: frame.P,
    weightedAverage: frame.w,
    previousClose: frame.x ?? null,
    open: frame.o,
    high: frame.h,
    low: frame.l,
    close: frame.c,
    closeQuantity: frame.Q,
    bid: frame.b ?? null,
    bidQuantity: frame.B ?? null,
    ask: frame.a ?? null,
    askQuantity: frame.A ?? null,
    volume: frame.v,
    quoteVolume: frame.q,
    openTime: toMs(frame.O),
    closeTime: toMs(frame.C),
    firstTradeId: frame.F,
    lastTradeId: frame.L,
    tradeCount: frame.n,
  }),
  rules: qualityRules.ticker,
}

/**
 * Reads frames of `<symbol>@ticker` and scores them.
 * Throws ConfigurationError for a symbol that the exchange cannot have and for rules that give no score.
 */
export function tickerCodec(options: StreamCodecOptions<keyof Ticker>): Codec<Ticker> {
  return new StreamCodec(spec, options)
}
