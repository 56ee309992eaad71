import { z } from 'zod'
import { type Codec, Rejection } from '../../runtime/log/codec.ts'
import { symbolPattern } from '../frame.ts'
import { symbolOfStream } from './frameKind.ts'
import { id, levelsField, type PriceLevel, priceLevels, symbolField } from './payloadParts.ts'
import { qualityRules } from './qualityRules.ts'
import { StreamCodec, type StreamCodecOptions, type StreamRecord, type StreamSpec } from './streamCodec.ts'

/** The best levels of an order book, all of them anew. */
export interface PartialDepth extends StreamRecord {
  readonly type: 'partialDepth'
  /** When the exchange sent it, ms UTC. Spot does not say: there it is the time of the record, or null where that has none. */
  readonly eventTime: number | null
  /** The last change of the book that is in it. */
  readonly lastUpdateId: number
  /** How many levels a side were asked for, by the name of the stream; null for a bare frame. */
  readonly levels: number | null
  /** Best first. */
  readonly bids: readonly PriceLevel[]
  /** Best first. */
  readonly asks: readonly PriceLevel[]
}

const spotPayload = () => z.object({ lastUpdateId: id, bids: levelsField, asks: levelsField })

const futuresPayload = (time: z.ZodInt) =>
  z.object({ e: z.literal('depthUpdate'), E: time, s: symbolField, u: id, b: levelsField, a: levelsField })

type Payload = Partial<z.output<ReturnType<typeof spotPayload>> & z.output<ReturnType<typeof futuresPayload>>>

const spec: StreamSpec<Payload, PartialDepth, keyof PartialDepth> = {
  kind: 'partialDepth',
  codecName: 'partialDepthCodec',
  payload: (time, { market }) => (market === 'usdm' ? futuresPayload(time) : spotPayload()),
  valueOf: (frame, stream, { market, toMs, keyText, timestamp }) => {
    const symbol = frame.s ?? (stream === null ? keyText() : symbolOfStream(stream))
    if (symbol === null || !symbolPattern.test(symbol)) {
      return new Rejection(
        'no-symbol',
        'a partial book names its symbol by the combined stream (btcusdt@depth5) or by the key of its record only, and neither is one',
      )
    }
    return {
      type: 'partialDepth',
      market,
      symbol,
      eventTime: frame.E === undefined ? timestamp : toMs(frame.E),
      lastUpdateId: frame.lastUpdateId ?? frame.u ?? 0,
      levels: levelsOf(stream),
      bids: priceLevels(frame.bids ?? frame.b ?? []),
      asks: priceLevels(frame.asks ?? frame.a ?? []),
    }
  },
  rules: qualityRules.partialDepth,
}

function levelsOf(stream: string | null): number | null {
  const [, digits] = /@depth(5|10|20)(?:@|$)/.exec(stream ?? '') ?? []
  return digits === undefined ? null : Number(digits)
}

/**
 * Reads frames of `<symbol>@depth5`, `@depth10` and `@depth20`, the best levels of an order book, and scores them. On spot the payload names neither symbol nor time:
 * those are the stream's and the record's.
 * Throws ConfigurationError for a symbol that the exchange cannot have and for rules that give no score.
 */
export function partialDepthCodec(options: StreamCodecOptions<keyof PartialDepth>): Codec<PartialDepth> {
  return new StreamCodec(spec, options)
}
