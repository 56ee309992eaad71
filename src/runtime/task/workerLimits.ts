import { type Duration, durationMs } from '../duration.ts'
import { ConfigurationError } from '../errors.ts'

/** Bounds of one task's work. Times in ms of processing time. */
export interface WorkerLimits {
  /** A checkpoint is cut this often while there is something to store. */
  readonly checkpointIntervalMs: number
  /** Credit: records read but not yet confirmed by a commit. */
  readonly maxUncommittedRecords: number
  /** A checkpoint is cut early with this many rows and dead letters. */
  readonly maxUncommittedResults: number
  /** Credit, in bytes of keys, headers and values: with so many read since the last checkpoint, the next is cut early. */
  readonly maxUncommittedBytes: number
  /** A checkpoint is cut early with this many bytes of rows, messages and dead letters; roughly, as they are held. */
  readonly maxUncommittedResultBytes: number
  /** Of one record, with its key and headers: a larger one is set aside as `too-large` without being looked at. */
  readonly maxRecordBytes: number
  /** A count: one record that brings about more rows and messages is set aside as `too-many-results`, and none of them is stored. Those of timers, such as windows that close, do not count. */
  readonly maxRecordResults: number
  /** The same in bytes. */
  readonly maxRecordResultBytes: number
  /** How much a dead letter keeps of the value of its record, and of key and headers each: the beginning, with the length and the SHA-256 of the whole. */
  readonly maxLetterBytes: number
  /** Roughly: what is kept, where it takes more as text, is written in portions of so much, each with a checkpoint, so that none takes longer because much is kept. */
  readonly statePortionBytes: number
  /** A count: with so many messages of one outlet committed and not sent, nothing more is read until some are. */
  readonly maxWaitingMessages: number
  /** Of one fetch; a single larger batch is taken all the same. */
  readonly fetchMaxBytes: number
  /** How long a fetch waits for a record at the end of the log. */
  readonly fetchMaxWaitMs: number
  /** The pause after a first failure; it doubles with each further one. */
  readonly retryFirstMs: number
  /** The longest that this pause becomes. */
  readonly retryMostMs: number
}

/** What bounds a task whatever its records hold. */
export type TaskLimits = Pick<
  WorkerLimits,
  'maxRecordBytes' | 'maxRecordResults' | 'maxRecordResultBytes' | 'maxLetterBytes' | 'statePortionBytes'
>

/** The limits of a worker that is told none. */
export const defaultLimits: WorkerLimits = {
  checkpointIntervalMs: 100,
  maxUncommittedRecords: 200_000,
  maxUncommittedResults: 50_000,
  maxUncommittedBytes: 67_108_864,
  maxUncommittedResultBytes: 16_777_216,
  maxRecordBytes: 4_194_304,
  maxRecordResults: 100_000,
  maxRecordResultBytes: 33_554_432,
  maxLetterBytes: 65_536,
  statePortionBytes: 262_144,
  maxWaitingMessages: 100_000,
  fetchMaxBytes: 1_048_576,
  fetchMaxWaitMs: 500,
  retryFirstMs: 100,
  retryMostMs: 5_000,
}

/** What differs from `defaultLimits`: lengths of time are ms, or text such as `'5s'`. */
export type WorkerLimitOptions = { readonly [K in keyof WorkerLimits]?: K extends `${string}Ms` ? Duration : number }

/** The limits with everything decided. Throws `ConfigurationError` on one that is not a positive number. */
export function workerLimits(given: WorkerLimitOptions = {}): WorkerLimits {
  const decided = Object.entries({ ...defaultLimits, ...given }).map(([name, value]) => {
    const number = name.endsWith('Ms') ? durationMs(value as Duration, `limits: ${name}`) : Number(value)
    if (number > 0) return [name, number]
    throw new ConfigurationError(`limits: ${name} must be positive, got ${value}`)
  })
  return Object.fromEntries(decided) as unknown as WorkerLimits
}
