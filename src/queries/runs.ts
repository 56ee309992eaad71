import type pg from 'pg'

export const runStates = ['waiting', 'running', 'done', 'failed', 'lost'] as const

/** An attempt at an interval of a job. Times are ms UTC. */
export interface StoredRun {
  readonly job: string
  readonly runId: string
  readonly from: number
  readonly to: number
  readonly attempt: number
  readonly state: (typeof runStates)[number]
  readonly cause: string
  /** Not before this it is run. */
  readonly notBefore: number
  readonly worker: string | null
  readonly startedAt: number | null
  readonly endedAt: number | null
  readonly rows: Readonly<Record<string, number>> | null
  readonly error: string | null
}

/** Which attempts; null for all. */
export interface RunFilter {
  readonly job: string | null
  readonly state: string | null
  /** ms UTC: intervals that end behind it. */
  readonly from: number | null
  /** ms UTC: intervals that begin before it. */
  readonly to: number | null
  readonly limit: number
}

const ms = (column: string) => `(extract(epoch FROM ${column}) * 1000)::float8`

const columns = `pipeline AS job, run_id AS "runId", ${ms('interval_from')} AS "from", ${ms('interval_to')} AS "to", attempt, state, cause, ${ms('not_before')} AS "notBefore",
  worker, ${ms('started_at')} AS "startedAt", ${ms('ended_at')} AS "endedAt", rows, error`

const filtered = `
SELECT ${columns} FROM batch_run
WHERE ($1::text IS NULL OR pipeline = $1) AND ($2::text IS NULL OR state = $2)
  AND ($3::float8 IS NULL OR interval_to > to_timestamp($3::float8 / 1000)) AND ($4::float8 IS NULL OR interval_from < to_timestamp($4::float8 / 1000))
ORDER BY interval_from DESC, pipeline, attempt DESC LIMIT $5`

const attemptsAt = `
SELECT ${columns} FROM batch_run AS one
WHERE EXISTS (SELECT FROM batch_run AS named WHERE named.run_id = $1 AND named.pipeline = one.pipeline AND named.interval_from = one.interval_from AND named.interval_to = one.interval_to)
ORDER BY attempt`

/** The newest attempt at an interval, where it has ended. */
const ended = `
SELECT DISTINCT ON (pipeline, interval_from, interval_to) * FROM batch_run
WHERE ($1::text IS NULL OR pipeline = $1) ORDER BY pipeline, interval_from, interval_to, attempt DESC`

const givenUp = `SELECT run_id AS "runId" FROM (${ended}) AS newest WHERE state IN ('failed', 'lost') ORDER BY pipeline, interval_from`

const again = `
INSERT INTO batch_run (pipeline, interval_from, interval_to, attempt, run_id, state, cause, not_before)
SELECT pipeline, interval_from, interval_to, attempt + 1, regexp_replace(run_id, '[0-9]+$', (attempt + 1)::text), 'waiting', 'person', clock_timestamp()
FROM batch_run AS one
WHERE (pipeline, interval_from, interval_to) = (SELECT pipeline, interval_from, interval_to FROM batch_run WHERE run_id = $1)
ORDER BY attempt DESC LIMIT 1
ON CONFLICT DO NOTHING RETURNING run_id AS "runId"`

/** Attempts, the newest intervals first. */
export async function listRuns(client: pg.ClientBase, filter: RunFilter): Promise<readonly StoredRun[]> {
  const { job, state, from, to, limit } = filter
  return (await client.query<StoredRun>(filtered, [job, state, from, to, limit])).rows
}

/** All attempts at the interval of a run, in order; none where there is no such run. */
export async function attemptsOf(client: pg.ClientBase, runId: string): Promise<readonly StoredRun[]> {
  return (await client.query<StoredRun>(attemptsAt, [runId])).rows
}

/** The last attempt of every interval that was given up. */
export async function givenUpRuns(client: pg.ClientBase, job: string | null): Promise<readonly string[]> {
  return (await client.query<{ runId: string }>(givenUp, [job])).rows.map(({ runId }) => runId)
}

/**
 * Has the interval of a run be run again, by the next worker that is free, as often as if it had never been tried. Gives the id of the new attempt; null where there is no such run,
 * or the interval waits or runs already.
 */
export async function retryRun(client: pg.ClientBase, runId: string): Promise<string | null> {
  return (await client.query<{ runId: string }>(again, [runId])).rows[0]?.runId ?? null
}
