import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type pg from 'pg'
import { Backoff } from '../runtime/backoff.ts'
import { steadyClock, systemClock } from '../runtime/clock.ts'
import { type Duration, durationMs } from '../runtime/duration.ts'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'
import { checkOptions, needed, type OptionRules, optional } from '../runtime/options.ts'
import type { Relay } from '../runtime/outlets/relay.ts'
import { openPool, type PostgresAddress } from '../sinks/postgres/connection.ts'
import { migrate } from '../sinks/postgres/migrate.ts'
import type { Webhook } from '../sinks/toWebhook.ts'
import { Alarm } from './alarm.ts'
import { type FailureOutlet, failureOutlet, newestFailure, openFailureRelay, storeFailure } from './failureOutlet.ts'
import type { Job } from './job.ts'
import { Ledger, type RunFailure } from './ledger.ts'
import { runClaimed } from './runClaimed.ts'

/** Where and how a job is run. */
export interface ScheduleSettings {
  /** Where the ledger is. */
  readonly database: PostgresAddress
  /** Of the data set; `public` unless told. */
  readonly schema?: string
  /** Ends it: the interval that is being run is given back, unless it ends well. */
  readonly signal?: AbortSignal
  /** True ends it when no interval is left to run or to try again; else it stays and waits for the next one. */
  readonly untilDone?: boolean
  /** What the worker is called in `batch_run`; the name of the machine and a random word unless told. */
  readonly worker?: string
  /** Where somebody is told of intervals that were given up, and of what a run tells: stored with that, sent at least once. */
  readonly onFailure?: Webhook<RunFailure>
  /** Is told, in one line each, what failed and what is tried again. */
  readonly say?: (line: string) => void
  /** How often the ledger is looked at besides the alarm, ms or text such as `'5s'`; 5 s unless told. */
  readonly lookEvery?: Duration
}

/** What a worker did until it ended. */
export interface ScheduleEnd {
  /** How many runs ended well. */
  readonly done: number
  /** How many attempts failed. */
  readonly failed: number
  /** How many runs were given to another worker meanwhile, because this one did not say that it was there. */
  readonly lost: number
  /** How many intervals were given up after their last attempt. */
  readonly givenUp: number
}

const rules: OptionRules<ScheduleSettings> = {
  database: needed.record,
  schema: optional.text,
  signal: optional.signal,
  untilDone: optional.flag,
  worker: optional.text,
  onFailure: optional.record,
  say: optional.callback,
  lookEvery: optional.duration,
}

const sendLastMs = 30_000

/**
 * Works on the intervals of a job, one at a time, beside any number of other workers: each interval is run by one of them at a time, and what was missed while nobody was there is
 * made up for. Every interval and every attempt is a row of `batch_run`. Migrates the schema.
 *
 * An alarm in the same database, kept by pg-boss in the schema `<schema>_boss`, wakes one worker when an interval comes due. Waits for a database that is away. Keeps one interval
 * in memory.
 * @throws ConfigurationError on settings that cannot be used, and where the role may not make the alarm's schema
 */
export async function runSchedule(job: Job, settings: ScheduleSettings): Promise<ScheduleEnd> {
  checkOptions('runSchedule', settings, rules)
  const { database, schema = 'public', signal, say = () => {} } = settings
  const lookEveryMs = durationMs(settings.lookEvery ?? '5s', 'runSchedule: lookEvery')
  if (lookEveryMs < 10) throw new ConfigurationError(`runSchedule: lookEvery must be 10 ms or more, got ${lookEveryMs}`)
  const stop = signal ?? new AbortController().signal
  const pool = openPool(database, { schema, applicationName: `millrace job ${job.name}`, maxConnections: 6 })
  try {
    return await new Worker(job, settings, { database, schema, pool, stop, say, lookEveryMs }).run()
  } finally {
    await pool.end()
  }
}

interface Place {
  readonly database: PostgresAddress
  readonly schema: string
  readonly pool: pg.Pool
  readonly stop: AbortSignal
  readonly say: (line: string) => void
  readonly lookEveryMs: number
}

class Worker {
  readonly #job: Job
  readonly #settings: ScheduleSettings
  readonly #place: Place
  readonly #name: string
  readonly #ledger: Ledger
  readonly #outlet: FailureOutlet | null
  readonly #end = { done: 0, failed: 0, lost: 0, givenUp: 0 }
  #alarm: Alarm | null = null
  #relay: Relay | null = null
  #wake = new AbortController()
  /** When the next interval comes due by the clock of the database, told by one that nobody sets. */
  #nextAt = 0

  constructor(job: Job, settings: ScheduleSettings, place: Place) {
    this.#job = job
    this.#settings = settings
    this.#place = place
    this.#name = settings.worker ?? `${hostname()}/${randomUUID().slice(0, 8)}`
    this.#outlet = settings.onFailure === undefined ? null : failureOutlet(settings.onFailure)
    this.#ledger = new Ledger(place.pool, job, async (client, failure) => {
      if (failure.isGivenUp) this.#end.givenUp += 1
      if (this.#outlet !== null) await storeFailure(client, failure, this.#outlet)
    })
  }

  async run(): Promise<ScheduleEnd> {
    const { stop, say } = this.#place
    const backoff = new Backoff(250, 30_000)
    stop.addEventListener('abort', () => this.#wake.abort(), { once: true })
    try {
      while (!stop.aborted) {
        try {
          await this.#open()
          await this.#work(() => backoff.reset())
          break
        } catch (error) {
          if (!(error instanceof RetryableError)) throw error
          const waitMs = backoff.next()
          say(`${error.message}; next try in ${waitMs} ms`)
          await systemClock.sleep(waitMs, stop)
        }
      }
      await this.#sendLast()
      return { ...this.#end }
    } finally {
      await this.#alarm?.close()
      await this.#relay?.close()
    }
  }

  async #open(): Promise<void> {
    const { pool, schema, say } = this.#place
    await migrate(pool, schema)
    await this.#ledger.register()
    if (this.#outlet !== null && this.#relay === null) {
      this.#relay = await openFailureRelay(pool, this.#job.name, this.#outlet.open())
    }
    if (this.#settings.untilDone === true || this.#alarm !== null) return
    const onTrouble = (error: Error) => say(`the alarm of job ${this.#job.name}: ${error.message}`)
    const alarm = await Alarm.open(pool, { schema, job: this.#job.name, onTrouble })
    this.#alarm = alarm
    await alarm.onRing(async () => {
      await this.#plan()
      this.#wake.abort()
    })
  }

  /** Until it is to stop, or nothing is left. */
  async #work(onProgress: () => void): Promise<void> {
    const { stop, lookEveryMs } = this.#place
    await this.#plan()
    while (!stop.aborted) {
      this.#wake = new AbortController()
      const run = await this.#ledger.claim(this.#name)
      onProgress()
      if (run !== null) {
        const outcome = await runClaimed(this.#job, this.#ledger, run, this.#place)
        if (outcome !== 'given back') this.#end[outcome] += 1
        await this.#tell()
        continue
      }
      await this.#tell()
      if (this.#settings.untilDone === true && (await this.#ledger.open()).count === 0) return
      if (stop.aborted) return
      await systemClock.sleep(lookEveryMs, this.#wake.signal)
      // The alarm may have gone off in a worker that was killed right then.
      if (steadyClock.now() > this.#nextAt + lookEveryMs) await this.#plan()
    }
  }

  async #plan(): Promise<void> {
    for (;;) {
      const { isAll, waitMs } = await this.#ledger.plan(async (client, at) => this.#alarm?.set(client, at))
      this.#nextAt = steadyClock.now() + waitMs
      if (isAll) return
    }
  }

  /** Has the relay look for what this worker or one that is gone has stored. */
  async #tell(): Promise<void> {
    this.#relay?.check()
    this.#relay?.committed(await newestFailure(this.#place.pool, this.#job.name))
  }

  async #sendLast(): Promise<void> {
    const relay = this.#relay
    if (relay === null) return
    await this.#tell()
    const until = systemClock.now() + sendLastMs
    while (!relay.isDone && systemClock.now() < until && !this.#place.stop.aborted) {
      await Promise.race([relay.progress(), systemClock.sleep(250)])
    }
    if (!relay.isDone) {
      const why = relay.status.waitingFor === null ? '' : ` (${relay.status.waitingFor})`
      this.#place.say(`what failed is told at the next start: ${relay.status.waiting} messages wait to be sent${why}`)
    }
  }
}
