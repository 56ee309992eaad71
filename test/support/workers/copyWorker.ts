import { decode } from '../../../src/operators/decode.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import type { PostgresConnection } from '../../../src/sinks/postgres/connection.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { type KafkaSettingsInput, kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'

/** A worker in a process of its own, to be killed. Each value goes into the table `seen` once; SIGTERM lets it leave. */
export interface CopyWorkerArguments {
  readonly settings: KafkaSettingsInput
  readonly topic: string
  readonly group: string
  readonly connection: PostgresConnection
  readonly schema: string
}

const { settings, topic, group, connection, schema } = JSON.parse(process.argv[2]!) as CopyWorkerArguments
const pipeline = definePipeline({
  name: 'copy',
  build: (records) => ({
    seen: toPostgres(
      records.pipe(decode({ decode: (record) => ({ key: record.keyText() ?? '', value: record.valueText() ?? '' }) })),
      {
        name: 'seen',
        mode: 'append',
        columns: [
          { name: 'key', type: 'text', of: ({ key }) => key },
          { name: 'value', type: 'text', of: ({ value }) => value },
        ],
      },
    ),
  }),
})
const source = await openKafkaLog(kafkaSettings(settings), { topic, group })
const store = new PostgresCheckpointStore(connection, { schema })
const worker = new Worker({ pipeline, source, store, archive: null, clock: systemClock, reclaimAfterMs: 4_000 })
process.once('SIGTERM', () => worker.stop('drain'))
await worker.run()
await source.close()
await store.close()
