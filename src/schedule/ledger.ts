import type pg from 'pg'
import { ConfigurationError, MillraceError, TaskFencedError } from '../runtime/errors.ts'
import { withClient } from '../sinks/postgres/withClient.ts'
import type { Job, JobCounts, JobInterval } from './job.ts'

/** An attempt at an interval that this worker has. */
export interface ClaimedRun {
  readonly runId: string
  readonly interval: JobInterval
  readonly attempt: number
}

/** Why there is an attempt at an interval. */
export type RunCause = 'schedule' | 'backfill' | 'retry' | 'person'

/** What somebody is told of: an interval that was given up, or what a run had to tell, which went on. */
export interface RunFailure {
  /** The job. */
  readonly job: string
  /** True where the interval was given up. */
  readonly isGivenUp: boolean
  /** Of the last attempt. */
  readonly runId: string
  readonly interval: JobInterval
  /** How often it was tried. */
  readonly tried: number
  /** What the last attempt failed with, or what it had to tell. */
  readonly error: string
  /** All of it in a sentence, for people. */
  readonly text: string
}

/** Tells somebody of a failure, in the transaction in which it is noted. */
export type TellFailure = (client: pg.ClientBase, failure: RunFailure) => Promise<void>

/** What planning came to. */
export interface Planned {
  /** False where so many have come due that there are more to write. */
  readonly isAll: boolean
  /** How long it is until the next one does, ms. */
  readonly waitMs: number
}

const mostPlanned = 10_000
const mostBackoffMs = 3_600_000
const mostErrorChars = 10_000

const ms = (column: string) => `(extract(epoch FROM ${column}) * 1000)::float8`
const timeOf = (parameter: string) => `timestamptz 'epoch' + ${parameter}::bigint * interval '1 millisecond'`

const clock = `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now`

const register = `
INSERT INTO batch_schedule AS known (pipeline, every_ms, next_from) VALUES ($1, $2, ${timeOf('$3')})
ON CONFLICT (pipeline) DO UPDATE SET every_ms = excluded.every_ms WHERE known.every_ms <> excluded.every_ms`

const place = `SELECT ${ms('next_from')} AS "nextFrom" FROM batch_schedule WHERE pipeline = $1 FOR UPDATE`

/** An interval that a backfill has brought already stays as it is. */
const addIntervals = `
INSERT INTO batch_run (pipeline, interval_from, interval_to, attempt, run_id, state, cause, not_before)
SELECT $1, ${timeOf('new."from"')}, ${timeOf('new."to"')}, 1, new.run_id, 'waiting', 'schedule', clock_timestamp()
FROM unnest($2::bigint[], $3::bigint[], $4::text[]) AS new ("from", "to", run_id)
ON CONFLICT DO NOTHING`

const lost = `
UPDATE batch_run SET state = 'lost', ended_at = clock_timestamp(), leased_until = NULL,
  error = 'worker ' || worker || ' did not say that it was there until ' || to_char(leased_until, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
WHERE pipeline = $1 AND state = 'running' AND leased_until < clock_timestamp()
RETURNING run_id AS "runId", ${ms('interval_from')} AS "from", ${ms('interval_to')} AS "to", attempt, error`

const running = `SELECT count(*)::integer AS count FROM batch_run WHERE pipeline = $1 AND state = 'running'`

const take = `
UPDATE batch_run SET state = 'running', worker = $2, started_at = clock_timestamp(), leased_until = clock_timestamp() + $3::bigint * interval '1 millisecond'
WHERE run_id = (
  SELECT run_id FROM batch_run WHERE pipeline = $1 AND state = 'waiting' AND not_before <= clock_timestamp()
  ORDER BY interval_from, interval_to LIMIT 1
)
RETURNING run_id AS "runId", ${ms('interval_from')} AS "from", ${ms('interval_to')} AS "to", attempt`

const renew = `
UPDATE batch_run SET leased_until = clock_timestamp() + $2::bigint * interval '1 millisecond' WHERE run_id = $1 AND state = 'running'`

const settle = `
UPDATE batch_run SET state = 'done', ended_at = clock_timestamp(), leased_until = NULL, rows = $2::jsonb WHERE run_id = $1 AND state = 'running'`

const fail = `
UPDATE batch_run SET state = $2, ended_at = clock_timestamp(), leased_until = NULL, error = $3 WHERE run_id = $1 AND state = 'running'
RETURNING cause, attempt`

/** How many attempts there were since somebody wanted the interval. */
const tries = `
SELECT count(*)::integer AS count FROM batch_run AS one
WHERE pipeline = $1 AND interval_from = ${timeOf('$2')} AND interval_to = ${timeOf('$3')} AND attempt >= (
  SELECT max(attempt) FROM batch_run AS wanted
  WHERE wanted.pipeline = one.pipeline AND wanted.interval_from = one.interval_from AND wanted.interval_to = one.interval_to AND wanted.cause <> 'retry')`

const again = `
INSERT INTO batch_run (pipeline, interval_from, interval_to, attempt, run_id, state, cause, not_before)
SELECT $1, ${timeOf('$2')}, ${timeOf('$3')}, $4, $5, 'waiting', $6, clock_timestamp() + $7::bigint * interval '1 millisecond'`

const newestOf = `
SELECT DISTINCT ON (interval_from, interval_to) ${ms('interval_from')} AS "from", ${ms('interval_to')} AS "to", attempt, state FROM batch_run
WHERE pipeline = $1 AND interval_from < ${timeOf('$3')} AND interval_to > ${timeOf('$2')} ORDER BY interval_from, interval_to, attempt DESC`

const open = `
SELECT count(*)::integer AS count, ${ms("min(not_before) FILTER (WHERE state = 'waiting')")} AS "nextAt" FROM batch_run WHERE pipeline = $1 AND state IN ('waiting', 'running')`

/** The name of an attempt, by which everything that it leaves behind is found. */
export function runIdOf(job: string, { from, to }: JobInterval, attempt: number): string {
  return `${job}/${shortTime(from)}/${shortTime(to)}/${attempt}`
}

function spanText({ from, to }: JobInterval): string {
  return `${shortTime(from)} to ${shortTime(to)}`
}

function shortTime(time: number): string {
  return new Date(time).toISOString().replace(/\.000Z$/, 'Z')
}

/** The intervals of a job and the attempts at them, in `batch_run`. The clock of the database decides what is due. */
export class Ledger {
  readonly #pool: pg.Pool
  readonly #job: Job
  readonly #tell: TellFailure

  /** @param tell is called for each interval that is given up, and for what a run tells; nobody is told where it is left out */
  constructor(pool: pg.Pool, job: Job, tell: TellFailure = async () => {}) {
    this.#pool = pool
    this.#job = job
    this.#tell = tell
  }

  /** Makes the job known, where it is not yet. */
  register(): Promise<void> {
    const { name, everyMs, startFrom } = this.#job
    return this.#with('make known', async (client) => {
      const first = startFrom ?? (await nowOf(client))
      await client.query(register, [name, everyMs, Math.floor(first / everyMs) * everyMs])
    })
  }

  /**
   * Writes every interval that has come due since the last time, however long ago that was.
   * @param alarm is called in the same transaction, with the time at which the next one comes due
   */
  plan(alarm: (client: pg.ClientBase, nextAt: number) => Promise<void>): Promise<Planned> {
    const { name, everyMs, delayMs } = this.#job
    return this.#inTransaction('plan', async (client) => {
      const { rows } = await client.query<{ nextFrom: number }>(place, [name])
      const nextFrom = rows[0]?.nextFrom
      if (nextFrom === undefined) throw new Error(`bug: job ${name} was not registered`)
      const now = await nowOf(client)
      const until = now - delayMs
      const due: JobInterval[] = []
      let from = nextFrom
      for (;;) {
        // The first one after a change of the length ends where those of the new length do.
        const to = (Math.floor(from / everyMs) + 1) * everyMs
        if (to > until || due.length === mostPlanned) break
        due.push({ from, to })
        from = to
      }
      await client.query(addIntervals, [
        name,
        due.map((one) => one.from),
        due.map((one) => one.to),
        due.map((one) => runIdOf(name, one, 1)),
      ])
      if (due.length > 0) {
        await client.query(`UPDATE batch_schedule SET next_from = ${timeOf('$2')} WHERE pipeline = $1`, [name, from])
      }
      const nextAt = (Math.floor(from / everyMs) + 1) * everyMs + delayMs
      await alarm(client, nextAt)
      return { isAll: due.length < mostPlanned, waitMs: nextAt - now }
    })
  }

  /** Takes the earliest interval that waits and may be run; null where there is none. Runs whose worker says nothing any more are given up first. */
  claim(worker: string): Promise<ClaimedRun | null> {
    const { name, parallel, leaseMs } = this.#job
    return this.#inTransaction('take an interval', async (client) => {
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`millrace job ${name}`])
      const gone = await client.query<JobInterval & { runId: string; attempt: number; error: string }>(lost, [name])
      for (const one of gone.rows) await this.#tryAgain(client, { ...one, interval: one }, one.error, true)
      const busy = await client.query<{ count: number }>(running, [name])
      if ((busy.rows[0]?.count ?? 0) >= parallel) return null
      const { rows } = await client.query<JobInterval & { runId: string; attempt: number }>(take, [
        name,
        worker,
        leaseMs,
      ])
      const [row] = rows
      if (row === undefined) return null
      const { runId, attempt, from, to } = row
      return { runId, attempt, interval: { from, to } }
    })
  }

  /** Says that the worker is there; false where the run is not its any more. */
  renew({ runId }: ClaimedRun): Promise<boolean> {
    return this.#with('say that it is there', async (client) => {
      const { rowCount } = await client.query(renew, [runId, this.#job.leaseMs])
      return rowCount === 1
    })
  }

  /** Ends a run well, in the transaction of the client. Throws `TaskFencedError` where it is not the worker's any more. */
  async settle(client: pg.ClientBase, { runId }: ClaimedRun, counts: JobCounts): Promise<void> {
    const { rowCount } = await client.query(settle, [runId, JSON.stringify(counts)])
    if (rowCount === 1) return
    throw new TaskFencedError(
      `run ${runId} is over: its worker did not say for ${this.#job.leaseMs} ms that it was there, and the interval was given to another attempt`,
    )
  }

  /** Has somebody told of what a run has found, in the transaction of the client. */
  tell(client: pg.ClientBase, { runId, interval, attempt }: ClaimedRun, told: string): Promise<void> {
    const { name } = this.#job
    const error = errorText(told)
    const text = `Job ${name}, ${spanText(interval)}: ${error}`
    return this.#tell(client, { job: name, isGivenUp: false, runId, interval, tried: attempt, error, text })
  }

  /** Ends a run well, in a transaction of its own, unless it was settled; false where it was over otherwise. */
  done({ runId }: ClaimedRun, counts: JobCounts): Promise<boolean> {
    return this.#with('note the end of', async (client) => {
      const { rowCount } = await client.query(settle, [runId, JSON.stringify(counts)])
      if (rowCount === 1) return true
      const { rows } = await client.query<{ state: string }>('SELECT state FROM batch_run WHERE run_id = $1', [runId])
      return rows[0]?.state === 'done'
    })
  }

  /** Ends a run that failed. The interval is tried again, later, or somebody is told. False where the run was over already. */
  failed(run: ClaimedRun, error: unknown): Promise<boolean> {
    return this.#inTransaction('note the failure of', async (client) => {
      const text = errorText(error)
      const { rowCount } = await client.query(fail, [run.runId, 'failed', text])
      if (rowCount !== 1) return false
      await this.#tryAgain(client, run, text, !(error instanceof ConfigurationError))
      return true
    })
  }

  /** Gives a run back that was stopped: it counts for nothing, and the interval waits for whoever is there. */
  givenBack(run: ClaimedRun): Promise<void> {
    return this.#inTransaction('give back', async (client) => {
      const { rows } = await client.query<{ cause: RunCause; attempt: number }>(fail, [
        run.runId,
        'lost',
        'its worker was stopped',
      ])
      const [row] = rows
      if (row !== undefined) await this.#add(client, run.interval, row.attempt + 1, row.cause, 0)
    })
  }

  /** Has the intervals of a range run, those that are done only where `isAgain`. Gives how many. */
  backfill(range: JobInterval, isAgain: boolean): Promise<number> {
    const { name, everyMs } = this.#job
    const from = Math.floor(range.from / everyMs) * everyMs
    const to = Math.ceil(range.to / everyMs) * everyMs
    if ((to - from) / everyMs > 1_000_000) {
      throw new ConfigurationError(
        `job ${name}: ${(to - from) / everyMs} intervals are too many at once; name a shorter range`,
      )
    }
    return this.#inTransaction('fill', async (client) => {
      await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`millrace job ${name}`])
      const now = await nowOf(client)
      const { rows } = await client.query<JobInterval & { attempt: number; state: string }>(newestOf, [name, from, to])
      const known = new Map(rows.map((row) => [`${row.from} ${row.to}`, row]))
      let count = 0
      for (let start = from; start < to && start + everyMs <= now; start += everyMs) {
        const interval = { from: start, to: start + everyMs }
        const row = known.get(`${interval.from} ${interval.to}`)
        if (row !== undefined && (row.state === 'waiting' || row.state === 'running')) continue
        if (row?.state === 'done' && !isAgain) continue
        await this.#add(client, interval, (row?.attempt ?? 0) + 1, 'backfill', 0)
        count += 1
      }
      return count
    })
  }

  /** How many intervals wait or run, and when the next one may be run (ms UTC, null where none waits). */
  open(): Promise<{ readonly count: number; readonly nextAt: number | null }> {
    return this.#with('count', async (client) => {
      const { rows } = await client.query<{ count: number; nextAt: number | null }>(open, [this.#job.name])
      return rows[0] ?? { count: 0, nextAt: null }
    })
  }

  async #tryAgain(client: pg.ClientBase, run: ClaimedRun, error: string, isWorthIt: boolean): Promise<void> {
    const { name, attempts, retryAfterMs } = this.#job
    const { interval, attempt } = run
    const { rows } = await client.query<{ count: number }>(tries, [name, interval.from, interval.to])
    const tried = rows[0]?.count ?? attempt
    if (isWorthIt && tried < attempts) {
      const waitMs = Math.min(mostBackoffMs, retryAfterMs * 2 ** Math.min(tried - 1, 30))
      return this.#add(client, interval, attempt + 1, 'retry', waitMs)
    }
    const text = `Job ${name} failed for ${spanText(interval)} after ${tried} attempt${tried === 1 ? '' : 's'}: ${error}`
    await this.#tell(client, { job: name, isGivenUp: true, runId: run.runId, interval, tried, error, text })
  }

  async #add(
    client: pg.ClientBase,
    interval: JobInterval,
    attempt: number,
    cause: RunCause,
    waitMs: number,
  ): Promise<void> {
    const { name } = this.#job
    const { from, to } = interval
    await client.query(again, [name, from, to, attempt, runIdOf(name, interval, attempt), cause, waitMs])
  }

  #with<T>(doing: string, action: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    return withClient(this.#pool, `${doing} job ${this.#job.name}`, { pipeline: this.#job.name }, action)
  }

  #inTransaction<T>(doing: string, action: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    return this.#with(doing, async (client) => {
      await client.query('BEGIN')
      const result = await action(client)
      await client.query('COMMIT')
      return result
    })
  }
}

async function nowOf(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ now: number }>(clock)
  return rows[0]?.now as number
}

function errorText(error: unknown): string {
  const code = error instanceof MillraceError ? `${error.code}: ` : ''
  const text = error instanceof Error ? `${code}${error.message === '' ? error.name : error.message}` : String(error)
  // What PostgreSQL cannot hold in a text.
  return text.slice(0, mostErrorChars).replaceAll('\0', '\u{2400}')
}
