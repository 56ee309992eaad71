import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { ownDatabase } from '../support/ownDatabase.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-batch-schedule-'))
const db = await ownDatabase()
const pool = await db.schema('public')
const place = { cwd: folder, env: { DATABASE_URL: db.url } }
afterAll(async () => {
  await db.close()
  rmSync(folder, { recursive: true })
})

const fiveMinutes = 300_000

test('a pass that is scheduled is a run of the ledger, and makes up for those that were missed', {
  timeout: 120_000,
}, async () => {
  await pool.query(`INSERT INTO raw_klines SELECT 'spot', 'BTCUSDT', '1m', at, 2, 3, 1, 2, 10, at + interval '59.999 seconds', 20, 7, 4, 8, 'rest'
    FROM generate_series(timestamptz '2024-08-08T00:00Z', timestamptz '2024-08-08T01:59Z', interval '1 minute') AS at`)
  const from = Math.floor((Date.now() - 3_600_000) / fiveMinutes) * fiveMinutes
  await pool.query(`INSERT INTO batch_schedule VALUES ('batch', $1, $2)`, [fiveMinutes, new Date(from)])
  const command = startCommand(['run', 'batch', '--schedule'], place)
  await command.seen(/Job batch, .*each interval when it comes due/)
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(100)) {
    const { rows } = await pool.query(`SELECT count(*)::int AS count FROM batch_run WHERE state = 'done'`)
    if (rows[0].count >= 11) break
  }
  command.process.kill('SIGINT')
  const { code, stderr } = await command.ended
  expect(stderr).not.toContain('failed')
  expect(code).toBe(0)
  const { rows } = await pool.query('SELECT state, attempt, rows FROM batch_run ORDER BY interval_from')
  expect(rows.length).toBeGreaterThanOrEqual(11)
  expect(rows[0]).toMatchObject({ state: 'done', attempt: 1, rows: { minutes: 120, blocked: 0 } })
  expect(rows[1]).toMatchObject({ state: 'done', rows: { minutes: 0 } })
  const { stdout } = await runCommand(['runs', 'list', '--job', 'batch'], place)
  expect(stdout).toMatch(/batch\/.*\/1 +done +schedule .*minutes 120/)
  expect((await runCommand(['quality', 'report', '--quality', 'silver_klines_1m'], place)).stdout).toContain(
    'silver_klines_1m, run batch/',
  )
})

test('is refused with --full', async () => {
  const { code, stderr } = await runCommand(['run', 'batch', '--schedule', '--full'], place)
  expect(stderr).toContain('leave out --schedule')
  expect(code).toBe(2)
})
