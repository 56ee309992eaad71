import { share } from 'rxjs'
import { z } from 'zod'
import { jsonCodec } from '../../codecs/jsonCodec.ts'
import { topic } from '../../codecs/topic.ts'
import { type Measurement, measures } from '../../market/measurement.ts'
import { alerts } from '../../operators/alerts/alerts.ts'
import { eventTime } from '../../operators/eventTime.ts'
import type { Feed } from '../../runtime/log/feed.ts'
import { definePipeline } from '../../runtime/pipeline/pipeline.ts'
import { alertTable } from '../../sinks/alertTable.ts'
import { toAlerts } from '../../sinks/toAlerts.ts'
import { toPostgres } from '../../sinks/toPostgres.ts'
import { type AlertPlan, channelsOf } from '../alerts/alertPlan.ts'
import { monitorName } from './measurements.ts'

/** What was measured stands here, so that alerts over it are decided from records, once. */
export const measurementsTopic = 'millrace.measurements'

const measurement = z.object({
  type: z.literal('measurement'),
  measure: z.enum(measures),
  subject: z.string(),
  value: z.number(),
  at: z.int(),
})

/** Decides and tells alerts over measures. */
export function monitorPipeline(plan: AlertPlan) {
  return definePipeline({
    name: monitorName,
    inputs: { measured: topic(measurementsTopic, { value: jsonCodec(measurement) }) },
    build: ({ measured }) => {
      const events = measured.pipe(
        eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
        alerts({ rules: plan.rules }),
        share(),
      )
      const channels = [...channelsOf(plan)].map(
        ([name, channel]) => [`alerts-${name}`, toAlerts(events, channel)] as const,
      )
      return { alerts: toPostgres(events, alertTable), ...Object.fromEntries(channels) }
    },
  })
}

/** Measures again and again; what was not measured is not made up for. */
export function measuringFeed(
  measure: () => Promise<readonly Measurement[]>,
  wait: (signal: AbortSignal) => Promise<void>,
): Feed {
  return {
    name: 'measurements',
    open: async (position, { partitionOf }) => {
      let count = Number(position ?? 0)
      return {
        read: async ({ signal }) => {
          await wait(signal)
          const measured = signal.aborted ? [] : await measure()
          count += measured.length
          const records = measured.map((one) => {
            const key = Buffer.from(one.subject)
            return { partition: partitionOf(key), timestamp: one.at, key, value: Buffer.from(JSON.stringify(one)) }
          })
          return { records, position: String(count) }
        },
        progress: () => ({ bytesDone: null, bytesTotal: null, waitingFor: null, counts: {}, newestTime: null }),
        close: async () => undefined,
      }
    },
  }
}
