import type { Pipeline } from '../runtime/pipeline/pipeline.ts'
import { probeStore } from '../sinks/objects/probeStore.ts'
import type { PostgresAddress } from '../sinks/postgres/connection.ts'
import type { KafkaSettings } from '../sources/kafka/kafkaSettings.ts'
import type { Cleanup } from './cleanup.ts'
import type { HostSettings } from './hostSettings.ts'
import { reclaimAfterMs } from './kafkaPlace.ts'
import { kafkaOutgoingTopics, openKafkaSource } from './kafkaTopics.ts'
import { openArchive } from './openArchive.ts'
import { type PipelineWorker, pipelineWorker } from './pipelineWorker.ts'
import { Spans } from './spans.ts'
import type { StartWait } from './startWait.ts'
import { tracedTopics } from './tracedPorts.ts'

/** What one worker on Kafka needs besides the pipeline: plain values, which may go to a process of its own. */
export interface KafkaWork {
  /** With the id of this worker. */
  readonly kafka: KafkaSettings
  readonly group: string
  /** Of the inputs, the leading one first. */
  readonly topics: readonly string[]
  /** Of each of them. */
  readonly partitions: number
  readonly address: PostgresAddress
  readonly settings: Pick<HostSettings, 'dataDir' | 'schema' | 'topics' | 'archive' | 'startFrom' | 'limits'>
}

/** Opens a worker of the pipeline's group in this process. The topics are there, and the tables fit. */
export async function openKafkaWorker(
  pipeline: Pipeline,
  work: KafkaWork,
  wait: StartWait,
  onWarning: (text: string) => void,
  cleanup: Cleanup,
  lost?: AbortSignal,
): Promise<PipelineWorker> {
  const { kafka, group, topics, partitions, address, settings } = work
  const { dataDir, schema, startFrom, limits } = settings
  const archive = await openArchive(settings.archive, dataDir, schema, onWarning)
  if (archive !== null) {
    const { store } = archive
    cleanup.add(() => store.close())
    await wait.until(`the archive at ${store.location}`, () => probeStore(store))
  }
  const sources = []
  for (const topic of topics) {
    const source = await openKafkaSource(kafka, { topic, group }, wait)
    cleanup.add(() => source.close())
    sources.push(source)
  }
  const spans = await Spans.find()
  return pipelineWorker({
    pipeline,
    sources,
    openTopic: tracedTopics(spans, kafkaOutgoingTopics(kafka, settings.topics, partitions, onWarning), 'kafka'),
    spans,
    log: { system: 'kafka', group },
    archive: archive?.archive ?? null,
    address,
    lost,
    schema,
    startFrom,
    limits,
    reclaimAfterMs: reclaimAfterMs(kafka),
  })
}
