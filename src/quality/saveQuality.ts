import type pg from 'pg'
import { expectationText } from './expectationName.ts'
import type { Judgement } from './judgement.ts'
import type { Quality } from './quality.ts'
import type { QualityWindow } from './qualityWindow.ts'
import { keyText, type Scope } from './scope.ts'
import { SqlParameters } from './sqlParameters.ts'
import type { QualityVerdict } from './verdict.ts'

/** Whose check it is. */
export interface QualityRun {
  /** Of the run that makes use of the verdict. A run may judge a quality in parts: their results are added up. */
  readonly runId: string
  /** ms UTC: by this time it is said what is over and what is fresh. */
  readonly now: number
}

/** Rows of one expectation and run that go into quarantine at most, over all windows. */
const mostOfRun = 10_000

/** Puts the failing rows of some windows into quarantine, those that come first by time. */
export async function quarantineRows(
  client: pg.ClientBase,
  scope: Scope,
  judgement: Judgement,
  numbers: readonly number[],
  { runId, now }: QualityRun,
): Promise<void> {
  const { expectation, failingRows } = judgement
  if (failingRows === null || numbers.length === 0) return
  const { quality } = scope
  const parameters = new SqlParameters()
  const failing = failingRows(parameters, numbers)
  const windows = scope.windowRows(parameters, numbers)
  const text = (value: string) => `${parameters.add(value)}::text`
  const at = `${parameters.add(new Date(now).toISOString())}::timestamptz`
  const run = text(runId)
  await client.query(
    `WITH failing AS (${failing}), alike AS (
       SELECT n, "row", expected, min("order") AS "order", count(*) AS copies, row_number() OVER (PARTITION BY n ORDER BY min("order"), "row") AS place
       FROM failing GROUP BY n, "row", expected
     )
     INSERT INTO quarantine AS known (quality, table_name, expectation, key, window_from, window_to, row_hash, severity, reason, "row", expected, copies, run_id, last_run_id, found_at, seen_at)
     SELECT ${text(quality.name)}, ${text(quality.table)}, ${text(expectation.name)}, win.key, win.window_from, win.window_to,
            encode(sha256(convert_to(alike."row"::text || coalesce(alike.expected::text, ''), 'UTF8')), 'hex'),
            ${text(expectation.severity ?? 'block')}, ${text(expectation.description ?? expectationText(expectation))}, alike."row", alike.expected, alike.copies, ${run}, ${run}, ${at}, ${at}
     FROM alike JOIN (${windows}) AS win USING (n)
     WHERE place <= ${parameters.add(quality.mostRows)}::integer ORDER BY n, place LIMIT greatest(0, ${mostOfRun} - (
       SELECT count(*) FROM quarantine AS kept WHERE kept.quality = ${text(quality.name)} AND kept.expectation = ${text(expectation.name)} AND kept.last_run_id = ${run}))
     ON CONFLICT (quality, expectation, key, window_from, window_to, row_hash) DO UPDATE
     SET severity = excluded.severity, reason = excluded.reason, copies = excluded.copies, last_run_id = excluded.last_run_id, seen_at = excluded.seen_at, released_at = NULL`,
    parameters.values,
  )
}

/**
 * Rows of windows that were judged are released; those that fail still are put back by `quarantineRows`. Of a window that has no rows any more what failed in it is gone.
 * @param unjudged expectations whose rows stay where they are
 */
export async function releaseRows(
  client: pg.ClientBase,
  quality: Quality,
  windows: readonly QualityWindow[],
  { now }: Pick<QualityRun, 'now'>,
  unjudged: readonly string[] = [],
): Promise<void> {
  if (windows.length === 0) return
  const stretches = stretchesOf(quality, windows)
  await client.query(
    `UPDATE quarantine AS known SET released_at = $2 FROM unnest($3::text[], $4::timestamptz[], $5::timestamptz[]) AS stretch (key, "from", "to")
     WHERE known.quality = $1 AND known.released_at IS NULL AND known.expectation <> ALL ($6::text[])
       AND known.key = stretch.key::jsonb AND known.window_from >= stretch."from" AND known.window_to <= stretch."to"`,
    [
      quality.name,
      new Date(now).toISOString(),
      stretches.map(({ key }) => key),
      stretches.map(({ from }) => new Date(from).toISOString()),
      stretches.map(({ to }) => new Date(to).toISOString()),
      unjudged,
    ],
  )
}

interface Stretch {
  readonly key: string
  readonly from: number
  to: number
}

/** Windows that follow on each other, as one: each is compared with every row that is in quarantine. */
function stretchesOf(quality: Quality, windows: readonly QualityWindow[]): readonly Stretch[] {
  const sorted = windows
    .map((window): Stretch => ({ key: keyText(quality, window), from: window.from, to: window.to }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.from - b.from))
  const stretches: Stretch[] = []
  for (const window of sorted) {
    const last = stretches.at(-1)
    if (last?.key === window.key && window.from <= last.to) last.to = Math.max(last.to, window.to)
    else stretches.push(window)
  }
  return stretches
}

/** Writes what came of each expectation, and of each window that did not pass. */
export async function saveResults(
  client: pg.ClientBase,
  quality: Quality,
  { results, windows }: QualityVerdict,
  { runId, now }: QualityRun,
): Promise<void> {
  const at = new Date(now).toISOString()
  const column = <T>(of: (result: QualityVerdict['results'][number]) => T) => results.map(of)
  await client.query(
    `INSERT INTO quality_result AS known (run_id, quality, table_name, expectation, severity, state, windows, passed, row_count, failing, reason, checked_at)
     SELECT $1, $2, $3, expectation, severity, state, windows, passed, rows, failing, reason, $4
     FROM unnest($5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[])
       AS new (expectation, severity, state, windows, passed, rows, failing, reason)
     ON CONFLICT (run_id, quality, expectation) DO UPDATE
     SET windows = known.windows + excluded.windows, passed = known.passed + excluded.passed, row_count = known.row_count + excluded.row_count,
         failing = known.failing + excluded.failing, checked_at = excluded.checked_at,
         (state, reason) = (SELECT state, reason FROM (VALUES (known.state, known.reason), (excluded.state, excluded.reason)) AS part (state, reason)
                            ORDER BY array_position(ARRAY['error', 'fail', 'warn', 'none', 'pass'], state), reason = known.reason DESC NULLS LAST LIMIT 1)`,
    [
      runId,
      quality.name,
      quality.table,
      at,
      column((one) => one.expectation),
      column((one) => one.severity),
      column((one) => one.state),
      column((one) => one.windows),
      column((one) => one.passed),
      column((one) => one.rows),
      column((one) => one.failing),
      column((one) => one.reason),
    ],
  )
  const problems = windows.flatMap(({ window, problems }) => problems.map((problem) => ({ window, ...problem })))
  if (problems.length === 0) return
  await client.query(
    `INSERT INTO quality_window (run_id, quality, expectation, key, window_from, window_to, state, row_count, failing, reason, checked_at)
     SELECT $1, $2, expectation, key::jsonb, "from"::timestamptz, "to"::timestamptz, state, rows, failing, reason, $3
     FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::text[])
       AS new (expectation, key, "from", "to", state, rows, failing, reason)`,
    [
      runId,
      quality.name,
      at,
      problems.map((one) => one.expectation),
      problems.map((one) => keyText(quality, one.window)),
      problems.map((one) => new Date(one.window.from).toISOString()),
      problems.map((one) => new Date(one.window.to).toISOString()),
      problems.map((one) => one.state),
      problems.map((one) => one.rows),
      problems.map((one) => one.failing),
      problems.map((one) => one.reason),
    ],
  )
}
