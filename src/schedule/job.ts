import type pg from 'pg'
import { definedJobs } from '../runtime/definedHere.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { PostgresAddress } from '../sinks/postgres/connection.ts'

/** What a run did, by name, such as `{ candles: 288 }`: kept in `batch_run` and shown by `millrace runs`. */
export type JobCounts = Readonly<Record<string, number>>

/** The length of time that a run is about. */
export interface JobInterval {
  /** ms UTC, inclusive. */
  readonly from: number
  /** ms UTC, exclusive. */
  readonly to: number
}

/** What a run works with. */
export interface JobContext {
  /** The same for what this attempt writes anywhere, such as results of quality: job, interval and attempt. */
  readonly runId: string
  /** Counts the attempts at the interval from 1. */
  readonly attempt: number
  /** For code that opens connections of its own. */
  readonly database: PostgresAddress
  /** Of the data set. */
  readonly schema: string
  /** Connections on the schema, four at most, closed by whoever runs the job. */
  readonly pool: pg.Pool
  /** Fires when the run is to end: it was asked to stop, or the interval belongs to somebody else by now. What is not committed then should not be. */
  readonly signal: AbortSignal
  /**
   * Ends the run within a transaction of the job's own, so that what it writes and that it is done are stored together or not at all. Call it last before COMMIT. A job that
   * does not call it is done when it returns, and one that is killed right before that is run again: then its writes must bear it.
   * @throws TaskFencedError where the interval belongs to somebody else by now: roll back
   */
  settle(client: pg.ClientBase, counts?: JobCounts): Promise<void>
  /**
   * Has somebody told of what the run has found and goes on with, such as data that is wrong: a sentence, within a transaction of the job's own, so that it is sent with what that stores or not at all. It
   * goes where failures of the job are told (`onFailure`); where nobody is named, nobody is told. Call it last before `settle`: it holds the row of the job's schedule.
   */
  tell(client: pg.ClientBase, text: string): Promise<void>
}

/** A batch job: what is done for each interval of time. */
export interface JobOptions {
  /** Intervals and runs are kept under it: lower-case letters, digits, `-` and `_`, beginning with a letter. */
  readonly name: string
  /** Length of an interval, ms or text such as `'5m'`. Intervals are counted from 1970-01-01 UTC, so that those of an hour begin at the full hour. */
  readonly every: Duration
  /** How long after the end of an interval it is run, ms or text such as `'10s'`, for data that comes late; 0 unless told. */
  readonly delay?: Duration
  /** Does the work of one interval; gives what it counted, or nothing. What it throws is a failed attempt. */
  readonly run: (interval: JobInterval, context: JobContext) => Promise<JobCounts | undefined>
  /** From when on there are intervals (ms UTC, or a Date), where the job was never scheduled before. Unless told, the interval of its first start is the first one. */
  readonly startFrom?: number | Date
  /** How many intervals are run at a time, by all workers together; 1 unless told. */
  readonly parallel?: number
  /** How often an interval is tried before it counts as failed and somebody is told; 5 unless told. A `ConfigurationError` is not tried again. */
  readonly attempts?: number
  /** How long it waits before the second attempt, ms or text such as `'10s'`, doubled for each further one up to an hour; 10 s unless told. */
  readonly retryAfter?: Duration
  /** An attempt that takes longer has failed: its signal fires, and the interval is tried again. ms or text such as `'1h'`; as long as it takes unless told. */
  readonly timeout?: Duration
  /** A worker that says nothing for so long, ms or text such as `'30s'`, has lost its run, which is tried again; 30 s unless told. */
  readonly lease?: Duration
}

/** A job that was checked: what `defineJob` gives. */
export interface Job {
  /** Under it its intervals and runs are kept. */
  readonly name: string
  /** Length of an interval. */
  readonly everyMs: number
  /** From the end of an interval to its run. */
  readonly delayMs: number
  /** Does the work of one interval. */
  readonly run: JobOptions['run']
  /** ms UTC; null begins with the interval of the first start. */
  readonly startFrom: number | null
  /** How many intervals at a time. */
  readonly parallel: number
  /** How often an interval is tried. */
  readonly attempts: number
  /** Before the second attempt. */
  readonly retryAfterMs: number
  /** How long an attempt may take; null as long as it takes. */
  readonly timeoutMs: number | null
  /** How long a worker may say nothing. */
  readonly leaseMs: number
}

const rules: OptionRules<JobOptions> = {
  name: needed.such(
    'lower-case letters, digits, - and _, beginning with a letter, 100 at most',
    (value) => typeof value === 'string' && /^[a-z][a-z0-9_-]{0,99}$/.test(value),
  ),
  every: needed.duration,
  delay: optional.duration,
  run: needed.anyFunction,
  startFrom: optional.such('a Date or ms since 1970', (value) =>
    Number.isSafeInteger(value instanceof Date ? value.getTime() : value),
  ),
  parallel: wholeNumber(1, 1_000),
  attempts: wholeNumber(1, 1_000),
  retryAfter: optional.duration,
  timeout: optional.duration,
  lease: optional.duration,
}

function wholeNumber(least: number, most: number) {
  return optional.such(
    `a whole number from ${least} to ${most}`,
    (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
  )
}

const dayMs = 86_400_000

/**
 * Declares a batch job, for `millrace run ./job.ts --schedule` and `runSchedule`.
 * @throws ConfigurationError on a name or an option that cannot be used
 */
export function defineJob(options: JobOptions): Job {
  checkOptions('defineJob', options, rules)
  const { name, run, startFrom, parallel = 1, attempts = 5 } = options
  const duration = (
    option: 'every' | 'delay' | 'retryAfter' | 'timeout' | 'lease',
    otherwise: Duration,
    least: number,
  ) => {
    const ms = durationMs(options[option] ?? otherwise, `defineJob '${name}': ${option}`)
    if (Number.isSafeInteger(ms) && ms >= least && ms <= 366 * dayMs) return ms
    throw new ConfigurationError(`defineJob '${name}': ${option} must be from ${least} ms to 366 days, got ${ms} ms.`)
  }
  const job: Job = {
    ...{ name, run, parallel, attempts },
    startFrom: startFrom === undefined ? null : Number(startFrom),
    everyMs: duration('every', 0, 1_000),
    delayMs: duration('delay', 0, 0),
    retryAfterMs: duration('retryAfter', '10s', 0),
    timeoutMs: options.timeout === undefined ? null : duration('timeout', 0, 1),
    leaseMs: duration('lease', '30s', 1_000),
  }
  definedJobs.note(job)
  return job
}
