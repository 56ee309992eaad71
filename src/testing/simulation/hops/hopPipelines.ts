import { type OperatorFunction, share } from 'rxjs'
import { z } from 'zod'
import { jsonCodec } from '../../../codecs/jsonCodec.ts'
import { aggregateWindow } from '../../../operators/aggregateWindow.ts'
import { decode } from '../../../operators/decode.ts'
import { eventTime } from '../../../operators/eventTime.ts'
import { inOrder } from '../../../operators/inOrder.ts'
import { tumblingWindow } from '../../../operators/tumblingWindow.ts'
import { upstreamTime } from '../../../operators/upstreamTime.ts'
import { definePipeline, type Pipeline } from '../../../runtime/pipeline/pipeline.ts'
import type { Table } from '../../../runtime/store/table.ts'
import { toPostgres } from '../../../sinks/toPostgres.ts'
import { toTopic } from '../../../sinks/toTopic.ts'

/** The topic between the pipelines. */
export const betweenTopic = 'between'
/** The topic behind the one below, where there is a second hop. */
export const furtherTopic = 'further'
/** So many windows make one of the last pipeline. */
const windowsInOne = 4

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
  /** How many partitions the topic of a second hop has; null for none. */
  readonly furtherPartitions: number | null
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

/** Counts what comes by its key, and sends the counts on where there is a second hop. */
export function belowPipeline({ above, sizeMs, furtherPartitions }: HopPlan): Pipeline {
  const from = above.map(({ name }) => name)
  return definePipeline({
    name: 'below',
    build: (records) => {
      const counts = records.pipe(
        decode(codec),
        upstreamTime({ of: ({ at }) => at, from }),
        countsOf(sizeMs, ({ key }) => key),
        share(),
      )
      const rows = { counts: toPostgres(counts, countsTable) }
      if (furtherPartitions === null) return rows
      const further = toTopic(counts, {
        topic: furtherTopic,
        by: ({ key }) => groupOf(key),
        at: ({ start }) => start + sizeMs - 1,
        // The time of a window's result is its last ms: time here has come there, and no further.
        encode: ({ key, start, ids }) => JSON.stringify({ id: ids, key, at: start + sizeMs - 1 }),
        markers: true,
      })
      return { ...rows, further }
    },
  })
}

/** Puts the counts of several keys and windows together. */
export function lastPipeline({ sizeMs }: HopPlan): Pipeline {
  return definePipeline({
    name: 'last',
    build: (records) => ({
      counts: toPostgres(
        records.pipe(
          decode(codec),
          upstreamTime({ of: ({ at }) => at }),
          countsOf(sizeMs * windowsInOne, ({ key }) => groupOf(key)),
        ),
        countsTable,
      ),
    }),
  })
}

/** What the last pipeline makes of the rows of the one below, whose windows are this long, by definition: which row a row goes into. */
export function furtherWindow(key: string, start: number, sizeMs: number): { key: string; start: number; end: number } {
  const largeMs = sizeMs * windowsInOne
  const first = Math.floor((start + sizeMs - 1) / largeMs) * largeMs
  return { key: groupOf(key), start: first, end: first + largeMs }
}

interface Counts {
  readonly key: string
  readonly start: number
  readonly ids: string
}

function countsOf(sizeMs: number, by: (value: HopValue) => string): OperatorFunction<HopValue, Counts> {
  return (values) =>
    values.pipe(
      tumblingWindow({ name: 'window', sizeMs, by }),
      aggregateWindow({
        initial: (): readonly string[] => [],
        add: (ids, { id }) => [...ids, ...id.split(' ')],
        result: (ids, { key, start }) => ({ key, start, ids: [...ids].sort().join(' ') }),
      }),
    )
}

/** Rows are never replaced, so that one that is written twice is seen. */
const countsTable: Table<Counts> = {
  mode: 'append',
  name: 'counts',
  columns: [
    { name: 'key', type: 'text', of: ({ key }) => key },
    { name: 'start', type: 'bigint', of: ({ start }) => start },
    { name: 'ids', type: 'text', of: ({ ids }) => ids },
  ],
}

/** Another key. */
function groupOf(key: string): string {
  return key < 'd' ? 'low' : 'high'
}
