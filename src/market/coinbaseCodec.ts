import { z } from 'zod'
import { fixed8Schema } from '../exact/fixed8Schema.ts'
import { type Codec, Rejection } from '../runtime/log/codec.ts'
import type { RecordView } from '../runtime/log/record.ts'
import { checkOptions, type OptionRules, optional } from '../runtime/options.ts'
import { gapOf, gapSchema } from './feedGap.ts'
import { heartbeatOf } from './frame.ts'
import { malformed } from './frameRejection.ts'
import { earliestTradeMs, latestTradeMs } from './timeUnit.ts'
import type { MarketEvent, Trade } from './trade.ts'

/** Which trades `coinbaseCodec` takes. */
export interface CoinbaseCodecOptions {
  /** `simulated` for invented prices; `coinbase` unless told. */
  readonly market?: 'coinbase' | 'simulated'
  /** Products such as `BTC-USD`; trades of others are rejected as `unknown-symbol`. Without it every product is taken. */
  readonly symbols?: Iterable<string>
}

const rules: OptionRules<CoinbaseCodecOptions> = {
  market: optional.oneOf('coinbase', 'simulated'),
  symbols: optional.such(
    'a list of symbols',
    (value) => typeof value === 'object' && value !== null && Symbol.iterator in value,
  ),
}

const time = z
  .string()
  .transform((text) => Date.parse(text))
  .pipe(z.int().min(earliestTradeMs).max(latestTradeMs))

const matchSchema = z.object({
  type: z.literal('match'),
  trade_id: z.int().min(0),
  side: z.enum(['buy', 'sell']),
  size: fixed8Schema,
  price: fixed8Schema,
  product_id: z.string().regex(/^[A-Z0-9]{1,24}-[A-Z0-9]{1,24}$/, 'must be a product such as BTC-USD'),
  time,
  fill: z.boolean().optional(),
  epoch: z.int().min(0).optional(),
})
const heartbeatSchema = z.object({ e: z.literal('heartbeat'), E: z.int().min(earliestTradeMs).max(latestTradeMs) })
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Turns frames of Coinbase Exchange, heartbeats and words on missing trades into the market events that `tradeCodec` makes of Binance's: the market is `coinbase`, the symbol the product. Times are
 * rounded down to ms. Undefined for frames of other kinds and for trades of price or quantity zero; a rejection for what should have been a trade and is not, such as a price of more than eight places.
 * Keeps nothing. Throws `ConfigurationError` on options that are none.
 */
export function coinbaseCodec(options: CoinbaseCodecOptions = {}): Codec<MarketEvent> {
  checkOptions('coinbaseCodec', options, rules)
  const symbols = options.symbols === undefined ? null : new Set(options.symbols)
  const { market = 'coinbase' } = options
  return { decode: (record) => decoded(record, market, symbols) }
}

function decoded(
  record: RecordView,
  market: 'coinbase' | 'simulated',
  symbols: ReadonlySet<string> | null,
): MarketEvent | Rejection | undefined {
  if (record.valueLength < 0) return malformed('the record has no value')
  const { buffer, valueStart, valueLength } = record
  let frame: unknown
  try {
    frame = JSON.parse(decoder.decode(buffer.subarray(valueStart, valueStart + valueLength)))
  } catch {
    // The message would quote the frame.
    return malformed(`no JSON in UTF-8, ${valueLength} bytes`)
  }
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) {
    return malformed(`JSON, but not an object, ${valueLength} bytes`)
  }
  if ('e' in frame && frame.e === 'gap') {
    const gap = gapSchema.safeParse(frame)
    return gap.success ? gapOf(gap.data, market) : malformed(z.prettifyError(gap.error).slice(0, 200))
  }
  if ('e' in frame && frame.e === 'heartbeat') {
    const heartbeat = heartbeatSchema.safeParse(frame)
    return heartbeat.success ? heartbeatOf(heartbeat.data.E) : malformed('a heartbeat without its time')
  }
  if (!('type' in frame) || typeof frame.type !== 'string') return malformed('no type')
  if (frame.type !== 'match') return undefined
  const match = matchSchema.safeParse(frame)
  if (!match.success) return malformed(z.prettifyError(match.error).slice(0, 200))
  const { product_id: symbol, trade_id: tradeId, price, size: quantity, side, fill, epoch } = match.data
  if (symbols !== null && !symbols.has(symbol)) {
    return new Rejection('unknown-symbol', `${symbol} is none of the ${symbols.size} symbols of this pipeline`)
  }
  if (price === 0 || quantity === 0) return undefined
  const trade: Trade = {
    ...{ type: 'trade', market, symbol, tradeId, price, quantity },
    tradeTime: match.data.time,
    // The side is the maker's: the taker sold into a buy.
    isBuyerMaker: side === 'buy',
  }
  return { ...trade, ...(fill === true ? { isFill: true } : {}), ...(epoch === undefined ? {} : { idEpoch: epoch }) }
}
