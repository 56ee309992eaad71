import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { processReportSchema } from '../../src/host/reportRow.ts'
import { runPipeline } from '../../src/host/runPipeline.ts'
import { readRunReports } from '../../src/queries/runReports.ts'
import { graphOf } from '../../src/runtime/task/graph.ts'
import { listFeed } from '../support/listFeed.ts'
import { lines } from '../support/pipelines/lines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

let folder: string
let db: TestDatabase
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-report-'))
  db = await testDatabase()
}, 120_000)
afterAll(async () => {
  await db?.close()
  rmSync(folder, { recursive: true, force: true })
})

it('a run says once a second in the database how it is, with its graph, and that it has ended', async () => {
  const { user, password, host, port, database } = db.connection
  // Of a process that is long gone: such rows are not kept for ever.
  await db.pool.query(
    `INSERT INTO run_report (pipeline, process, reported_at, graph, report) VALUES ($1, 'old:1', now() - interval '2 hours', '', '')`,
    [lines.name],
  )
  const stop = new AbortController()
  const running = runPipeline(lines, {
    dataDir: folder,
    databaseUrl: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`,
    schema: db.schema,
    archive: 'none',
    topic: 'lines',
    feed: {
      feed: listFeed(
        'lines',
        Array.from({ length: 400 }, (_, i) => `line ${i}`),
        { perRead: 4, pauseMs: 50 },
      ),
      topic: 'lines',
    },
    signal: stop.signal,
  })
  const rows = () => readRunReports(db.pool)
  await expect
    .poll(async () => (await rows()).filter(({ process }) => process !== 'old:1').length, { timeout: 30_000 })
    .toBe(1)
  await expect
    .poll(async () => processReportSchema.parse(JSON.parse((await rows())[0]?.report ?? '{}')).records, {
      timeout: 30_000,
    })
    .toBeGreaterThan(0)
  const [row] = await rows()
  expect(JSON.parse(row?.graph ?? '')).toEqual(graphOf(lines))
  expect(row?.endedAt).toBe(null)
  expect(row?.ageMs).toBeLessThan(5_000)
  const report = processReportSchema.parse(JSON.parse(row?.report ?? ''))
  expect(report).toMatchObject({ isOfThePast: false, source: lines.name })
  expect(report.taskCount).toBe(report.tasks.length)
  stop.abort()
  await running
  const ended = await rows()
  expect(ended.map(({ endedAt }) => endedAt !== null)).toEqual([true])
}, 120_000)
