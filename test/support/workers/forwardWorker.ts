import type pg from 'pg'
import { decode } from '../../../src/operators/decode.ts'
import type { CheckpointStore } from '../../../src/runtime/checkpoint.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import type { LogWriter } from '../../../src/runtime/log.ts'
import { definePipeline } from '../../../src/runtime/pipeline.ts'
import { Worker } from '../../../src/runtime/worker.ts'
import { toKafka } from '../../../src/sinks/kafka/toKafka.ts'
import { withRelay } from '../../../src/sinks/kafka/withRelay.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import { openPool, type PostgresConnection } from '../../../src/sinks/postgres/connection.ts'
import { type KafkaSettingsInput, kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'
import { openKafkaWriter } from '../../../src/sources/kafka/producer/openKafkaWriter.ts'

export const crashPoints = [
  'before a commit',
  'after a commit',
  'claimed',
  'before an append',
  'amid an append',
  'after an append',
  'after a delete',
] as const

/** A worker that forwards each value of a topic to another one, and ends itself by kill -9 at a given point. */
export interface ForwardWorkerArguments {
  readonly settings: KafkaSettingsInput
  readonly from: string
  readonly to: string
  readonly group: string
  readonly connection: PostgresConnection
  readonly schema: string
  /** The how manieth time that the point is reached, from 1, and for an append under way how long after its start. */
  readonly crash: {
    readonly point: (typeof crashPoints)[number]
    readonly time: number
    readonly afterMs: number
  } | null
}

if (import.meta.main) await work(JSON.parse(process.argv[2]!) as ForwardWorkerArguments)

async function work({ settings, from, to, group, connection, schema, crash }: ForwardWorkerArguments): Promise<void> {
  let times = 0
  const reach = (point: (typeof crashPoints)[number]) => {
    if (crash?.point !== point || ++times !== crash.time) return
    if (point !== 'amid an append') die()
    setTimeout(die, crash.afterMs)
  }
  const pipeline = definePipeline({
    name: 'forward',
    build: (records) => ({
      forwarded: toKafka(
        records.pipe(
          decode({
            decode: (record) => ({ key: record.keyText() ?? '', id: Number(record.valueText()), at: record.timestamp }),
          }),
        ),
        {
          topic: to,
          key: ({ key }) => key,
          value: ({ id }) => String(id),
          eventTime: ({ at }) => at,
        },
      ),
    }),
  })
  const kafka = kafkaSettings(settings)
  const writer = await openKafkaWriter(kafka, { topic: to })
  const source = withRelay(await openKafkaLog(kafka, { topic: from, group }), {
    pool: crashingPool(openPool(connection, { schema }), reach),
    writer: crashingWriter(writer, reach),
    topic: to,
    partitionOf: (key) => writer.partitionOf(key),
    pollMs: 10,
    batchRecords: 20,
  })
  const store = crashingStore(new PostgresCheckpointStore(connection, { schema }), reach)
  const limits = { checkpointIntervalMs: 20 }
  const worker = new Worker({ pipeline, source, store, archive: null, clock: systemClock, limits })
  process.once('SIGTERM', () => worker.stop('now'))
  await worker.run()
  for (const each of [writer, source, store]) await each.close()
  process.exit()
}

type Reach = (point: (typeof crashPoints)[number]) => void

function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

function crashingStore(store: CheckpointStore, reach: Reach): CheckpointStore {
  return {
    claim: (...asked) => store.claim(...asked),
    commit: async (claim, checkpoint) => {
      reach('before a commit')
      await store.commit(claim, checkpoint)
      reach('after a commit')
    },
    recordedSteps: (...asked) => store.recordedSteps(...asked),
    mergeNotes: (...asked) => store.mergeNotes(...asked),
    messages: (...asked) => store.messages(...asked),
    forgetMessages: (...asked) => store.forgetMessages(...asked),
    close: () => store.close(),
  }
}

function crashingWriter(writer: LogWriter, reach: Reach): LogWriter {
  return {
    claim: async (producer) => {
      const found = await writer.claim(producer)
      reach('claimed')
      return found
    },
    append: async (records, position) => {
      reach('before an append')
      reach('amid an append')
      await writer.append(records, position)
      reach('after an append')
    },
    close: () => writer.close(),
  }
}

function crashingPool(pool: pg.Pool, reach: Reach): pg.Pool {
  return new Proxy(pool, {
    get(target, name) {
      if (name !== 'query') return Reflect.get(target, name)
      return async (text: string, values: unknown[]) => {
        const result = await target.query(text, values)
        if (text.startsWith('DELETE')) reach('after a delete')
        return result
      }
    },
  })
}
