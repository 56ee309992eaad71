import type pg from 'pg'

/** What came of an expectation in a run, over all its windows. */
export interface StoredResult {
  readonly expectation: string
  readonly severity: string
  readonly state: string
  readonly windows: number
  readonly passed: number
  readonly rows: number
  readonly failing: number
  readonly reason: string | null
}

/** A window that did not pass. */
export interface StoredWindow {
  readonly expectation: string
  readonly key: Readonly<Record<string, unknown>>
  /** ms UTC. */
  readonly from: number
  readonly to: number
  readonly state: string
  readonly rows: number
  readonly failing: number
  readonly reason: string
}

/** A row in quarantine, as it is in the database: JSON text, in which decimals are exact. */
export interface QuarantinedRow {
  readonly expectation: string
  readonly reason: string
  readonly severity: string
  readonly row: string
  readonly expected: string | null
  readonly copies: number
  readonly runId: string
  readonly lastRunId: string
  /** ms UTC. */
  readonly foundAt: number
}

/** The newest run of a quality, or the one that was asked for. */
export interface QualityReport {
  readonly quality: string
  readonly table: string
  readonly runId: string
  /** ms UTC. */
  readonly checkedAt: number
  readonly results: readonly StoredResult[]
  /** Those that block first, then by expectation and time. */
  readonly problems: readonly StoredWindow[]
  /** How many there are. */
  readonly problemCount: number
  /** Of any run, not released yet: those that block first, then the newest. */
  readonly quarantine: readonly QuarantinedRow[]
  /** How many there are. */
  readonly quarantineCount: number
}

/** Which reports. */
export interface ReportRange {
  /** Null for all. */
  readonly quality: string | null
  /** Null for the newest of each quality. */
  readonly runId: string | null
  /** Windows and rows of each at most. */
  readonly limit: number
}

const newest = `
SELECT DISTINCT ON (quality) quality, table_name AS "table", run_id AS "runId", (extract(epoch FROM checked_at) * 1000)::float8 AS "checkedAt"
FROM quality_result WHERE ($1::text IS NULL OR quality = $1) AND ($2::text IS NULL OR run_id = $2) ORDER BY quality, checked_at DESC, run_id DESC`

const results = `
SELECT expectation, severity, state, windows::float8 AS windows, passed::float8 AS passed, row_count::float8 AS rows, failing::float8 AS failing, reason
FROM quality_result WHERE quality = $1 AND run_id = $2 ORDER BY array_position(ARRAY['error', 'fail', 'warn', 'none', 'pass'], state), expectation`

const problems = `
SELECT expectation, key, (extract(epoch FROM window_from) * 1000)::float8 AS "from", (extract(epoch FROM window_to) * 1000)::float8 AS "to", state,
  row_count::float8 AS rows, failing::float8 AS failing, reason, count(*) OVER ()::float8 AS count
FROM quality_window WHERE quality = $1 AND run_id = $2
ORDER BY array_position(ARRAY['error', 'fail', 'warn', 'none'], state), expectation, window_from, key LIMIT $3`

const quarantine = `
SELECT expectation, reason, severity, "row"::text AS row, expected::text AS expected, copies::float8 AS copies, run_id AS "runId", last_run_id AS "lastRunId",
  (extract(epoch FROM found_at) * 1000)::float8 AS "foundAt", count(*) OVER ()::float8 AS count
FROM quarantine WHERE quality = $1 AND released_at IS NULL ORDER BY severity, found_at DESC, expectation, window_from, row_hash LIMIT $2`

/** What the checks of each quality came to, by name. */
export async function readQuality(client: pg.ClientBase, range: ReportRange): Promise<readonly QualityReport[]> {
  const reports: QualityReport[] = []
  const runs = await client.query<Pick<QualityReport, 'quality' | 'table' | 'runId' | 'checkedAt'>>(newest, [
    range.quality,
    range.runId,
  ])
  for (const run of runs.rows) {
    const found = await client.query<StoredResult>(results, [run.quality, run.runId])
    const windows = await counted<StoredWindow>(client, problems, [run.quality, run.runId, range.limit])
    const rows = await counted<QuarantinedRow>(client, quarantine, [run.quality, range.limit])
    reports.push({
      ...run,
      results: found.rows,
      problems: windows.rows,
      problemCount: windows.count,
      quarantine: rows.rows,
      quarantineCount: rows.count,
    })
  }
  return reports
}

async function counted<T>(
  client: pg.ClientBase,
  text: string,
  values: readonly unknown[],
): Promise<{ readonly rows: readonly T[]; readonly count: number }> {
  const { rows } = await client.query<T & { count: number }>(text, [...values])
  return { rows: rows.map(({ count: _, ...row }) => row as unknown as T), count: rows[0]?.count ?? 0 }
}
