import { systemClock } from '../runtime/clock.ts'
import type { LogSource, OpenOutgoingTopic } from '../runtime/log/log.ts'
import type { StartFrom } from '../runtime/log/startFrom.ts'
import type { Pipeline } from '../runtime/pipeline/pipeline.ts'
import type { Archive } from '../runtime/store/archive.ts'
import type { TaskStatus } from '../runtime/task/taskStatus.ts'
import type { WorkerLimitOptions } from '../runtime/task/workerLimits.ts'
import type { StopMode } from '../runtime/worker/stopMode.ts'
import { Worker } from '../runtime/worker/worker.ts'
import { PostgresCheckpointStore } from '../sinks/postgres/checkpointStore.ts'
import type { PostgresAddress } from '../sinks/postgres/connection.ts'
import type { Spans } from './spans.ts'
import { tracedDestination, tracedSource, tracedStore } from './tracedPorts.ts'

/** What works on the partitions of a run: in this process, or a pool of processes. */
export interface PipelineWorker {
  /** Resolves after a stop, once all is stored. Rejects with what a person must look at. */
  run(): Promise<void>
  stop(mode: StopMode): void
  status(): readonly TaskStatus[]
  /** Of tasks that it has let go of; what they have done counts for the run. */
  released(): readonly TaskStatus[]
  /** What it waits for before it has tasks that could say so, or null. */
  readonly waitingFor: string | null
  close(): Promise<void>
}

/** A pipeline, and what it works on and with. */
export interface PipelineWorkerOptions {
  readonly pipeline: Pipeline
  /** The logs of the inputs, the leading one first. */
  readonly sources: readonly LogSource[]
  readonly openTopic: OpenOutgoingTopic
  readonly archive: Archive | null
  readonly address: PostgresAddress
  /** Fires when the database is given up. */
  readonly lost?: AbortSignal | undefined
  readonly schema: string
  readonly startFrom: StartFrom | null
  readonly limits: WorkerLimitOptions
  /** Told of fetches, commits and sends; null where nobody asks. */
  readonly spans: Spans | null
  /** In which the topics are: Kafka, with the group, or the embedded log. */
  readonly log: { readonly system: 'kafka'; readonly group: string } | { readonly system: 'millrace' }
  /** For a log that a group shares; null for one that is this process's alone. */
  readonly reclaimAfterMs: number | null
}

/** The pipeline in this process, on the partitions that the log assigns to it. */
export function pipelineWorker(options: PipelineWorkerOptions): PipelineWorker {
  const { pipeline, openTopic, archive, address, schema, startFrom, limits, reclaimAfterMs, spans, log } = options
  const group = log.system === 'kafka' ? log.group : null
  const sources =
    spans === null ? options.sources : options.sources.map((one) => tracedSource(spans, one, log.system, group))
  const [source, ...others] = sources
  if (source === undefined) throw new Error('bug: a pipeline without an input')
  const plainStore = new PostgresCheckpointStore(address, { schema, lost: options.lost })
  const store = spans === null ? plainStore : tracedStore(spans, plainStore, log.system)
  const worker = new Worker({
    pipeline,
    source,
    others,
    openTopic,
    store,
    archive,
    clock: systemClock,
    limits,
    ...(spans === null ? {} : { watchSends: (...args) => tracedDestination(spans, ...args) }),
    ...(startFrom === null ? {} : { from: startFrom }),
    ...(reclaimAfterMs === null ? {} : { reclaimAfterMs }),
  })
  return {
    run: () => worker.run(),
    stop: (mode) => worker.stop(mode),
    status: () => worker.status(),
    released: () => worker.released(),
    get waitingFor() {
      return worker.waitingFor
    },
    close: () => store.close(),
  }
}
