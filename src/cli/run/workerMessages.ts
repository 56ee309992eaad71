import type { StopMode } from '../../runtime/taskAttempt.ts'
import type { TaskStatus } from '../../runtime/taskStatus.ts'
import type { PostgresAddress } from '../../sinks/postgres/connection.ts'
import type { KafkaSettings } from '../../sources/kafka/kafkaSettings.ts'
import type { Environment } from '../resolveSettings.ts'
import type { SettingValues } from '../settings.ts'
import type { RunPlan } from './runPlan.ts'

/** All that a worker process needs. It goes over a pipe that only parent and child have, so it may hold secrets. */
export interface WorkerJob {
  readonly plan: RunPlan
  readonly kafka: KafkaSettings
  readonly group: string
  readonly address: PostgresAddress
  readonly archive: Pick<SettingValues, 'archive' | 'dataDir' | 's3PathStyle'>
  /** Of others: `AWS_*`. */
  readonly env: Environment
  readonly checkpointMs: number
  readonly openCandleMs: number
}

export type MessageToWorker =
  | { readonly kind: 'start'; readonly job: WorkerJob }
  | { readonly kind: 'stop'; readonly mode: StopMode }

export type MessageFromWorker =
  | { readonly kind: 'status'; readonly tasks: readonly TaskStatus[] }
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'warning'; readonly text: string }
  /** The last one of a worker that a person must look at. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
