import { z } from 'zod'
import { jsonCodec } from '../../../codecs/jsonCodec.ts'
import { aggregateWindow } from '../../../operators/aggregateWindow.ts'
import { decode } from '../../../operators/decode.ts'
import { eventTime } from '../../../operators/eventTime.ts'
import { inOrder } from '../../../operators/inOrder.ts'
import { tumblingWindow } from '../../../operators/tumblingWindow.ts'
import { upstreamTime } from '../../../operators/upstreamTime.ts'
import { definePipeline, type Pipeline } from '../../../runtime/pipeline.ts'
import { toPostgres } from '../../../sinks/toPostgres.ts'
import { toTopic } from '../../../sinks/toTopic.ts'

/** The topic between the pipelines. */
export const betweenTopic = 'between'

/** A value of a hop: its `id` is the pipeline, the task and the number among the values of that task. */
export const hopValue = z.object({ id: z.string(), key: z.string(), at: z.number() })

/** The same, typed. */
export type HopValue = z.infer<typeof hopValue>

/** A pipeline that writes the topic, as a seed has drawn it. */
export interface AbovePlan {
  readonly name: string
  readonly partitions: number
  readonly maxOutOfOrdernessMs: number
  /** Null for one in which silence moves no time. */
  readonly idleAfterMs: number | null
  /** Whether its input is declared ended at the end. */
  readonly closesOpen: boolean
}

/** What a seed has drawn for a hop. */
export interface HopPlan {
  readonly above: readonly AbovePlan[]
  readonly partitions: number
  readonly sizeMs: number
  readonly closesOpen: boolean
}

const codec = jsonCodec(hopValue)

/** Sets aside what is late, and sends the rest on under its key. */
export function abovePipeline({ name, maxOutOfOrdernessMs, idleAfterMs }: AbovePlan): Pipeline {
  return definePipeline({
    name,
    ...(idleAfterMs === null ? {} : { idleAfterMs }),
    build: (records) => ({
      out: toTopic(
        records.pipe(decode(codec), eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs }), inOrder<HopValue>()),
        {
          topic: betweenTopic,
          by: ({ key }) => key,
          at: ({ at }) => at,
          encode: (value) => JSON.stringify(value),
          markers: true,
        },
      ),
    }),
  })
}

/** Counts what comes by its key. Rows are never replaced, so that one that is written twice is seen. */
export function belowPipeline({ above, sizeMs }: HopPlan): Pipeline {
  return definePipeline({
    name: 'below',
    build: (records) => ({
      counts: toPostgres(
        records.pipe(
          decode(codec),
          upstreamTime({ of: ({ at }) => at, from: above.map(({ name }) => name) }),
          tumblingWindow({ name: 'window', sizeMs, by: ({ key }) => key }),
          aggregateWindow({
            initial: (): readonly string[] => [],
            add: (ids, { id }) => [...ids, id],
            result: (ids, { key, start }) => ({ key, start, ids: [...ids].sort().join(' ') }),
          }),
        ),
        {
          mode: 'append',
          name: 'counts',
          columns: [
            { name: 'key', type: 'text', of: (row) => row.key },
            { name: 'start', type: 'bigint', of: (row) => row.start },
            { name: 'ids', type: 'text', of: (row) => row.ids },
          ],
        },
      ),
    }),
  })
}
