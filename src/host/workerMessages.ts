import type { TaskStatus } from '../runtime/task/taskStatus.ts'
import type { StopMode } from '../runtime/worker/stopMode.ts'
import type { KafkaWork } from './kafkaWorker.ts'
import type { PipelineModule } from './pipelineModule.ts'

/** All that a worker process needs. It goes over a pipe that only parent and child have, so it may hold secrets. */
export interface WorkerJob extends KafkaWork {
  readonly pipeline: PipelineModule
}

export type MessageToWorker =
  | { readonly kind: 'start'; readonly job: WorkerJob }
  | { readonly kind: 'stop'; readonly mode: StopMode }

export type MessageFromWorker =
  | { readonly kind: 'status'; readonly tasks: readonly TaskStatus[]; readonly released: readonly TaskStatus[] }
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'warning'; readonly text: string }
  /** The last one of a worker that a person must look at. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
