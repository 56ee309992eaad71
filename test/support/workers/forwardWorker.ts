import { decode } from '../../../src/operators/decode.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import type { LogWriter } from '../../../src/runtime/log/log.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { CheckpointStore } from '../../../src/runtime/store/checkpoint.ts'
import type { Outbox } from '../../../src/runtime/store/outbox.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import type { PostgresConnection } from '../../../src/sinks/postgres/connection.ts'
import { toTopic } from '../../../src/sinks/toTopic.ts'
import { type KafkaSettingsInput, kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'
import { kafkaTopics } from '../../../src/sources/kafka/producer/kafkaTopics.ts'

export const crashPoints = [
  'before a commit',
  'after a commit',
  'claimed',
  'before an append',
  'amid an append',
  'after an append',
  'before a delete',
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
      forwarded: toTopic(
        records.pipe(
          decode({
            decode: (record) => ({ key: record.keyText() ?? '', id: Number(record.valueText()), at: record.timestamp }),
          }),
        ),
        { topic: to, encode: ({ id }) => String(id), by: ({ key }) => key, at: ({ at }) => at },
      ),
    }),
  })
  const kafka = kafkaSettings(settings)
  const openTopic = kafkaTopics(kafka)
  const source = await openKafkaLog(kafka, { topic: from, group })
  const store = crashingStore(new PostgresCheckpointStore(connection, { schema }), reach)
  const worker = new Worker({
    pipeline,
    source,
    openTopic: async (topic) => {
      const opened = await openTopic(topic)
      return { ...opened, writer: crashingWriter(opened.writer, reach) }
    },
    store,
    archive: null,
    clock: systemClock,
    limits: { checkpointIntervalMs: 20 },
    reclaimAfterMs: 1_000,
  })
  process.once('SIGTERM', () => worker.stop('now'))
  await worker.run()
  for (const each of [source, store]) await each.close()
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
    answers: (...asked) => store.answers(...asked),
    outbox: crashingOutbox(store.outbox, reach),
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

function crashingOutbox(outbox: Outbox, reach: Reach): Outbox {
  return new Proxy(outbox, {
    get(target, name: keyof Outbox) {
      if (name !== 'forget') return target[name].bind(target)
      return async (...asked: Parameters<Outbox['forget']>) => {
        reach('before a delete')
        await target.forget(...asked)
        reach('after a delete')
      }
    },
  })
}
