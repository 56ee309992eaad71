import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { ownDatabase } from '../support/ownDatabase.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-runs-'))
const db = await ownDatabase()
const pool = await db.schema('public')
const place = { cwd: folder, env: { DATABASE_URL: db.url } }
const millrace = (...args: readonly string[]) => runCommand(args, place)
const file = join(folder, 'job.ts')
const entry = (name: string) => pathToFileURL(`src/${name}.ts`).href

await pool.query('CREATE TABLE seen (at timestamptz, pid integer)')
await pool.query('CREATE TABLE trouble (at timestamptz)')
writeFileSync(
  file,
  `import { defineJob } from '${entry('schedule')}'
export default defineJob({
  name: 'hourly', every: '1h', attempts: 2, retryAfter: 0, parallel: 4, startFrom: Date.now() - 3 * 3_600_000,
  async run({ from }, { pool }) {
    const at = new Date(from)
    if ((await pool.query('SELECT FROM trouble WHERE at = $1', [at])).rowCount > 0) throw new Error('no data for ' + at.toISOString())
    await new Promise((resolve) => setTimeout(resolve, 100))
    await pool.query('INSERT INTO seen VALUES ($1, $2)', [at, process.pid])
    return { rows: 1 }
  },
})
`,
)
writeFileSync(
  join(folder, 'pipeline.ts'),
  `import { definePipeline } from '${entry('index')}'
export default definePipeline({ name: 'nothing', build: () => ({}) })
`,
)
beforeEach(() => pool.query('TRUNCATE batch_run, batch_schedule, seen, trouble'))
afterAll(async () => {
  await db.close()
  rmSync(folder, { recursive: true })
})

const day = ['--from', '2024-08-08', '--to', '2024-08-09'] as const
const seen = async () => (await pool.query('SELECT at, pid FROM seen ORDER BY at')).rows

test('a job file runs what was missed and ends', async () => {
  const { code, stdout } = await millrace('run', file)
  expect(stdout).toMatch(/Job hourly, database .*: runs what is due\.\n3 intervals done\.\n/)
  expect(code).toBe(0)
  expect(await seen()).toHaveLength(3)
})

test('with --schedule it stays until it is stopped', async () => {
  const command = startCommand(['run', file, '--schedule'], place)
  await command.seen(/each interval when it comes due/)
  for (const end = Date.now() + 20_000; (await seen()).length < 3 && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  command.process.kill('SIGTERM')
  const { code, stdout } = await command.ended
  expect(stdout).toContain('3 intervals done')
  expect(code).toBe(0)
})

test('is refused for a pipeline', async () => {
  const { code, stderr } = await millrace('run', join(folder, 'pipeline.ts'), '--schedule')
  expect(stderr).toContain('--schedule is for batch jobs (defineJob)')
  expect(code).toBe(2)
})

describe('runs', () => {
  test('backfill runs a range once, by several processes', async () => {
    const { code, stdout, stderr } = await millrace('runs', 'backfill', file, ...day, '--workers', '2')
    expect(stderr).toBe('')
    expect(stdout).toContain('Job hourly: 24 intervals to run.')
    expect(code).toBe(0)
    const rows = (await seen()).filter(({ at }) => at.getUTCFullYear() === 2024)
    expect(rows).toHaveLength(24)
    expect(new Set(rows.map(({ at }) => at.getTime())).size).toBe(24)
    expect(new Set(rows.map(({ pid }) => pid)).size).toBe(2)
    expect((await millrace('runs', 'backfill', file, ...day)).stdout).toContain('0 intervals to run')
    expect((await millrace('runs', 'backfill', file, ...day, '--again')).stdout).toContain('24 intervals to run')
  })

  test('what fails is listed, shown, retried', async () => {
    await pool.query(`INSERT INTO trouble VALUES ('2024-08-08T05:00Z')`)
    const filled = await millrace('runs', 'backfill', file, ...day)
    expect(filled.code).toBe(1)
    expect(filled.stderr).toContain('npx millrace runs list --job hourly --state failed')
    const { stdout } = await millrace('runs', 'list', '--state', 'failed')
    const id = 'hourly/2024-08-08T05:00:00Z/2024-08-08T06:00:00Z'
    expect(stdout).toMatch(new RegExp(`${id}/2 +failed +retry .*no data for 2024-08-08T05`))
    const shown = await millrace('runs', 'show', `${id}/1`)
    expect(shown.stdout).toMatch(
      /attempt +1, wanted by backfill[\s\S]*attempt +2, wanted by retry[\s\S]*error +no data/,
    )
    await pool.query('TRUNCATE trouble')
    const again = await millrace('runs', 'retry', '--all')
    expect(again.stdout).toContain(`${id}/3 waits for a worker`)
    expect((await millrace('runs', 'retry', `${id}/2`)).code).toBe(1)
    expect((await millrace('run', file)).stdout).toContain('1 interval done')
    const [run] = JSON.parse(
      (await millrace('runs', 'list', '--json', ...day, '--limit', '1', '--state', 'done')).stdout,
    )
    expect(run).toMatchObject({ job: 'hourly', state: 'done', from: '2024-08-08T23:00:00.000Z', rows: { rows: 1 } })
    expect((await millrace('runs', 'retry', '--all')).stdout).toContain('0 to be run again')
  })

  test.each([
    [['runs', 'backfill', file, '--from', '2024-08-08'], '--from or --to is missing'],
    [['runs', 'backfill', join(folder, 'pipeline.ts'), ...day], 'exports no job'],
    [['runs', 'retry'], 'which runs? Name ids, or --all'],
    [['runs', 'list', '--state', 'lots'], 'waiting, running, done, failed, lost'],
  ])('refuses %j', async (args, words) => {
    const { code, stderr } = await millrace(...args)
    expect(stderr).toContain(words)
    expect(code).toBe(2)
  })

  test('show says where there is no such run', async () => {
    const { code, stderr } = await millrace('runs', 'show', 'hourly/1')
    expect(stderr).toContain('There is no run hourly/1')
    expect(code).toBe(1)
  })
})
