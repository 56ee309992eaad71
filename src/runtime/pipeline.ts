import type { Observable } from 'rxjs'
import { noteDefined } from './definedPipelines.ts'
import { type Duration, durationMs } from './duration.ts'
import { ConfigurationError } from './errors.ts'
import type { Outlet } from './outlet.ts'
import type { PartitionGrowth } from './partitionGrowth.ts'
import type { RecordView } from './record.ts'

/** The ends of a pipeline, each under a name of its own, by which the test kit finds its rows. */
export type Outlets = Readonly<Record<string, Outlet<unknown>>>

/** A graph over the records of one partition; every partition gets its own instance with its own state. */
export interface Pipeline<O extends Outlets = Outlets> {
  /** Checkpoints are stored under it. */
  readonly name: string
  /** Builds the graph of one task. Called once a task; everything is built before the first record. */
  readonly build: (records: Observable<RecordView>) => O
  /**
   * For topics without heartbeats: after this long (ms, or text such as `'5s'`) without a record the watermark follows the clock at this distance. Each such step is stored
   * with the checkpoint, so that a replay takes it at the same offset. Off when left out.
   */
  readonly idleAfterMs?: Duration
  /**
   * What happens to a value on which a callback or a step of the pipeline throws. `dead-letter`, if left out: it is set aside as `failed`, under the name of the operator,
   * and the pipeline goes on; once the code is mended it can be redriven, unless a window or a batch stands between. `stop`: the worker ends with the error.
   * Errors that say what to do about them (`RetryableError`, `ConfigurationError` and the like) are never set aside.
   */
  readonly onError?: 'dead-letter' | 'stop'
  /**
   * What happens when the topic has another number of partitions than before. `refuse`, if left out: the worker ends with a `ConfigurationError`, because keys
   * are spread by that number, and a key would have state, and write rows, in two tasks. `allow`: it goes on, and tasks of new partitions start
   * with nothing; for topics where each key's records stay in their partition, and for pipelines whose rows depend on no key. To refuse again
   * later is to go on with the number that was allowed last.
   */
  readonly partitionGrowth?: PartitionGrowth
  /** Names of operators that the pipeline no longer has, whose saved state may be dropped. */
  readonly retired?: readonly string[]
}

/** Makes a pipeline a value: for the worker, for the test kit and for the types of its outlets. Throws `ConfigurationError`. */
export function definePipeline<const O extends Record<string, Outlet<unknown>>>(pipeline: Pipeline<O>): Pipeline<O> {
  if (!/^[a-z][a-z0-9_-]*$/.test(pipeline.name)) {
    throw new ConfigurationError(
      `pipeline name ${JSON.stringify(pipeline.name)}: use lower-case letters, digits, - and _, starting with a letter`,
    )
  }
  idleAfterMsOf(pipeline)
  noteDefined(pipeline)
  return pipeline
}

/** The pipeline's `idleAfterMs` as a number, undefined where it has none. Throws `ConfigurationError` where it is not positive. */
export function idleAfterMsOf({ name, idleAfterMs }: Pipeline): number | undefined {
  if (idleAfterMs === undefined) return undefined
  const ms = durationMs(idleAfterMs, `pipeline ${name}: idleAfterMs`)
  if (!(ms > 0)) throw new ConfigurationError(`pipeline ${name}: idleAfterMs must be positive, got ${idleAfterMs}`)
  return ms
}
