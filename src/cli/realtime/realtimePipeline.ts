import { coinbaseCodec } from '../../market/coinbaseCodec.ts'
import type { Market } from '../../market/trade.ts'
import { tradeCodec } from '../../market/tradeCodec.ts'
import { realtime } from '../../pipelines/realtime.ts'
import type { Pipeline } from '../../runtime/pipeline.ts'

/** What decides about the pipeline of a run. */
export type RealtimeArgument = {
  readonly market: Market
  readonly timeUnit: 'ms' | 'us'
  /** Least time between two rows of an open 1m candle. */
  readonly provisionalEveryMs: number
}

/** Called here, and in each worker process. */
export function makePipeline({ market, timeUnit, provisionalEveryMs }: RealtimeArgument): Pipeline {
  const trades = market === 'coinbase' ? coinbaseCodec() : tradeCodec({ market, timeUnit })
  return realtime(trades, { provisionalEveryMs })
}
