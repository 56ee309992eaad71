import { tradeCodec } from '../../market/tradeCodec.ts'
import { realtime } from '../../pipelines/realtime.ts'
import type { Archive } from '../../runtime/archive.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { LogSource } from '../../runtime/log.ts'
import type { StopMode } from '../../runtime/taskAttempt.ts'
import type { TaskStatus } from '../../runtime/taskStatus.ts'
import { Worker } from '../../runtime/worker.ts'
import { PostgresCheckpointStore } from '../../sinks/postgres/checkpointStore.ts'
import type { PostgresAddress } from '../../sinks/postgres/connection.ts'
import type { RunPlan } from './runPlan.ts'

/** What works on the partitions of a run: in this process, or a pool of processes. */
export interface RealtimeWorker {
  /** Resolves after a stop, once all is stored. Rejects with what a person must look at. */
  run(): Promise<void>
  stop(mode: StopMode): void
  status(): readonly TaskStatus[]
  /** What it waits for before it has tasks that could say so, or null. */
  readonly waitingFor: string | null
  close(): Promise<void>
}

export interface RealtimeWorkerOptions {
  readonly plan: Pick<RunPlan, 'market' | 'timeUnit' | 'dataSet'>
  readonly source: LogSource
  readonly archive: Archive | null
  readonly address: PostgresAddress
  readonly checkpointMs: number
  readonly openCandleMs: number
  /** For a log that a group shares; null for one that is this process's alone. */
  readonly reclaimAfterMs: number | null
}

/** The realtime pipeline in this process, on the partitions that the log assigns to it. */
export function realtimeWorker(options: RealtimeWorkerOptions): RealtimeWorker {
  const { plan, source, archive, address, reclaimAfterMs } = options
  const codec = tradeCodec({ market: plan.market, timeUnit: plan.timeUnit })
  const store = new PostgresCheckpointStore(address, { schema: plan.dataSet })
  const worker = new Worker({
    pipeline: realtime(codec, { provisionalEveryMs: options.openCandleMs }),
    source,
    store,
    archive,
    clock: systemClock,
    limits: { checkpointIntervalMs: options.checkpointMs },
    ...(reclaimAfterMs === null ? {} : { reclaimAfterMs }),
  })
  return {
    run: () => worker.run(),
    stop: (mode) => worker.stop(mode),
    status: () => worker.status(),
    get waitingFor() {
      return worker.waitingFor
    },
    close: () => store.close(),
  }
}
