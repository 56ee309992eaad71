import type pg from 'pg'

/** What a process that runs a pipeline, or has run it within the last hours, says of itself. */
export interface StoredRunReport {
  readonly pipeline: string
  /** host:pid. */
  readonly process: string
  /** ms UTC. */
  readonly startedAt: number
  /** How old the report is by the clock of the database, ms. */
  readonly ageMs: number
  /** When it ended in order, ms UTC; null while it runs, and for one that was killed. */
  readonly endedAt: number | null
  /** JSON. */
  readonly graph: string
  /** JSON. */
  readonly report: string
}

const mostReports = 200

const newest = `SELECT pipeline, process, (extract(epoch FROM started_at) * 1000)::float8 AS "startedAt",
       greatest(0, extract(epoch FROM clock_timestamp() - reported_at) * 1000)::float8 AS "ageMs",
       (extract(epoch FROM ended_at) * 1000)::float8 AS "endedAt", graph, report
FROM run_report ORDER BY reported_at DESC LIMIT ${mostReports}`

/** The newest first. */
export async function readRunReports(client: pg.Pool | pg.ClientBase): Promise<readonly StoredRunReport[]> {
  return (await client.query<StoredRunReport>(newest)).rows
}

// One row whatever there is, and another one whenever something was committed or claimed.
const mark = `SELECT concat_ws('/', count(*), sum(generation), sum(next_offset), max(committed_at)) AS mark FROM stream_task`

/** A text that changes with every commit and every claim. */
export async function commitMark(client: pg.Pool | pg.ClientBase): Promise<string> {
  return (await client.query<{ mark: string }>({ name: 'commit_mark', text: mark })).rows[0]?.mark ?? ''
}
