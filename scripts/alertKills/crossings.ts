import { map, share } from 'rxjs'
import { z } from 'zod'
import { jsonCodec } from '../../src/codecs/jsonCodec.ts'
import { topic } from '../../src/codecs/topic.ts'
import { toFixed8 } from '../../src/exact/decimal.ts'
import { alerts } from '../../src/operators/alerts/alerts.ts'
import type { CandleForIndicator } from '../../src/operators/indicators/indicator.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { alertTable } from '../../src/sinks/alertTable.ts'
import { toAlerts } from '../../src/sinks/toAlerts.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'

export const crossingsTopic = 'crossings'
const minuteSchema = z.object({ minute: z.int() })

/** A pipeline whose every minute crosses the threshold, one way or the other, so that each is a decision. */
export function crossings(url: string) {
  return definePipeline({
    name: 'crossings',
    inputs: { minutes: topic(crossingsTopic, { value: jsonCodec(minuteSchema) }) },
    build: ({ minutes }) => {
      const rules = [{ name: 'high', kind: 'price', above: 100, keepFiringFor: 0, maxPerHour: 60 }] as const
      const events = minutes.pipe(map(candleOf), alerts({ rules }), share())
      return {
        alerts: toPostgres(events, alertTable),
        pager: toAlerts(events, { kind: 'webhook', url, maxAge: '36500d' }),
      }
    },
  })
}

function candleOf({ minute }: z.infer<typeof minuteSchema>): CandleForIndicator {
  const price = toFixed8((minute % 2 === 0 ? 101 : 99) * 100_000_000)
  return {
    market: 'simulated',
    symbol: 'CROSSING',
    interval: '1m',
    openTime: 1_723_075_200_000 + minute * 60_000,
    high: price,
    low: price,
    close: price,
    volume: 0,
    quoteVolume: 0n,
    isClosed: true,
    revision: 1,
  }
}
