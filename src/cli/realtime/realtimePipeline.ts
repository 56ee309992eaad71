import { coinbaseCodec } from '../../market/coinbaseCodec.ts'
import type { Market } from '../../market/trade.ts'
import { tradeCodec } from '../../market/tradeCodec.ts'
import { realtime } from '../../pipelines/realtime.ts'
import type { Pipeline } from '../../runtime/pipeline/pipeline.ts'
import { type AlertPlan, channelsOf } from '../alerts/alertPlan.ts'

/** What decides about the pipeline of a run. */
export type RealtimeArgument = {
  readonly market: Market
  /** Whose frames the topic has. */
  readonly exchange: 'binance' | 'coinbase'
  readonly timeUnit: 'ms' | 'us'
  /** Least time between two rows of an open 1m candle. */
  readonly provisionalEveryMs: number
  /** An `AlertPlan` as JSON; null where no file of alerts is named. */
  readonly alerts: string | null
  readonly indicators: readonly string[]
}

/** Called here, and in each worker process. */
export function makePipeline(argument: RealtimeArgument): Pipeline {
  const { market, exchange, timeUnit, provisionalEveryMs, alerts, indicators } = argument
  const trades =
    exchange === 'coinbase'
      ? coinbaseCodec({ market: market === 'simulated' ? market : 'coinbase' })
      : tradeCodec({ market, timeUnit })
  if (alerts === null) return realtime(trades, { provisionalEveryMs, indicators })
  const plan = JSON.parse(alerts) as AlertPlan
  const alerting = { rules: plan.rules, channels: Object.fromEntries(channelsOf(plan)) }
  return realtime(trades, { provisionalEveryMs, indicators, alerts: alerting })
}
