import { z } from 'zod'
import type { Codec } from '../../runtime/log/codec.ts'
import { id, levelsField, type PriceLevel, priceLevels, symbolField } from './payloadParts.ts'
import { qualityRules } from './qualityRules.ts'
import { StreamCodec, type StreamCodecOptions, type StreamRecord, type StreamSpec } from './streamCodec.ts'

/** What changed in an order book: the new quantity of each price that changed, zero where the level is gone. */
export interface DepthDiff extends StreamRecord {
  readonly type: 'depth'
  /** When the exchange sent it, ms UTC. */
  readonly eventTime: number
  /** The first change of the book that is in it. */
  readonly firstUpdateId: number
  /** The last change of the book that is in it. */
  readonly lastUpdateId: number
  /** Futures name the `lastUpdateId` of the frame before; null on spot, where the next one begins one further. */
  readonly previousUpdateId: number | null
  /** In the order of the frame. */
  readonly bids: readonly PriceLevel[]
  /** In the order of the frame. */
  readonly asks: readonly PriceLevel[]
}

const payload = (time: z.ZodInt) =>
  z.object({
    e: z.literal('depthUpdate'),
    E: time,
    s: symbolField,
    U: id,
    u: id,
    pu: z.int().min(-1).optional(),
    b: levelsField,
    a: levelsField,
  })

const spec: StreamSpec<z.output<ReturnType<typeof payload>>, DepthDiff, keyof DepthDiff> = {
  kind: 'depth',
  codecName: 'depthCodec',
  payload,
  valueOf: (frame, _stream, { market, toMs }) => ({
    type: 'depth',
    market,
    symbol: frame.s,
    eventTime: toMs(frame.E),
    firstUpdateId: frame.U,
    lastUpdateId: frame.u,
    previousUpdateId: frame.pu ?? null,
    bids: priceLevels(frame.b),
    asks: priceLevels(frame.a),
  }),
  rules: qualityRules.depth,
}

/**
 * Reads frames of `<symbol>@depth`, the changes of an order book, and scores them; `OrderBook` makes the book of them.
 * Throws ConfigurationError for a symbol that the exchange cannot have and for rules that give no score.
 */
export function depthCodec(options: StreamCodecOptions<keyof DepthDiff>): Codec<DepthDiff> {
  return new StreamCodec(spec, options)
}
