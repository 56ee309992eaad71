// Imports ops/superset/millrace.zip into a Superset of its own and asks for what its charts show. Run by hand: a Superset is some hundred packages.
//   node scripts/checkSuperset.ts ./superset-venv/bin
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { ownDatabase } from '../test/support/ownDatabase.ts'
import { charts, dashboard, database } from './superset/declarations.ts'

const run = promisify(execFile)
const [bin] = process.argv.slice(2)
if (bin === undefined) {
  console.error('Name the folder with `superset` and `python`: node scripts/checkSuperset.ts ./superset-venv/bin')
  process.exit(2)
}
const programs = resolve(bin)
const bundle = resolve(import.meta.dirname, '../ops/superset/millrace.zip')
const password = 'of-a-superset-that-lives-for-a-minute'
const prices = new Map([
  ['BTCUSDT', 61_000],
  ['XRPUSDT', 0.6],
])
const candles = 12

const answer = z.object({
  dashboards: z.array(z.string()),
  charts: z.record(
    z.string(),
    z.object({ columns: z.array(z.string()), rows: z.array(z.record(z.string(), z.unknown())) }),
  ),
})

const folder = mkdtempSync(join(tmpdir(), 'millrace-superset-'))
const db = await ownDatabase()
try {
  const pool = await db.schema('public')
  for (const [symbol, price] of prices) {
    await pool.query(
      `INSERT INTO fact_realtime_trades_5m
       SELECT 'spot', $1, '5m', date_trunc('hour', now()) - i * interval '5 minutes', $2, $2, $2, $2::numeric + i, 2, 2 * $2::numeric, 1, 0, 0, $2, 1, 1, true, 1
       FROM generate_series(1, $3::int) AS i`,
      [symbol, price, candles],
    )
  }
  writeFileSync(
    join(folder, 'superset_config.py'),
    [
      'SECRET_KEY = "only-for-this-check-0123456789abcdef"',
      `SQLALCHEMY_DATABASE_URI = "sqlite:///${join(folder, 'superset.db')}"`,
      'WTF_CSRF_ENABLED = False',
      'TALISMAN_ENABLED = False',
      'RATELIMIT_ENABLED = False',
    ].join('\n'),
  )
  const env = {
    ...process.env,
    SUPERSET_CONFIG_PATH: join(folder, 'superset_config.py'),
    FLASK_APP: 'superset.app:create_app()',
    ADMIN_PASSWORD: password,
    BUNDLE: bundle,
    PYTHONWARNINGS: 'ignore',
  }
  const command = async (program: string, ...args: readonly string[]) => {
    console.error(`${program} ${args[0]}`)
    return run(join(programs, program), [...args], { cwd: folder, env, maxBuffer: 64 * 1024 * 1024 })
  }
  await command('superset', 'db', 'upgrade')
  const admin = ['--username', 'admin', '--firstname', 'A', '--lastname', 'B', '--email', 'a@example.org']
  await command('superset', 'fab', 'create-admin', ...admin, '--password', password)
  await command('superset', 'init')
  await command('superset', 'import-dashboards', '-p', bundle, '-u', 'admin')
  const address = db.url.replace(/^postgres:/, 'postgresql+psycopg2:')
  await command('superset', 'set-database-uri', '-d', database.name, '-u', address)
  const { stdout } = await command('python', join(import.meta.dirname, 'superset/ask.py'))
  const line = stdout.split('\n').find((one) => one.startsWith('ANSWER '))
  const told = answer.parse(JSON.parse((line ?? '').slice('ANSWER '.length)))
  const problems = [
    ...(told.dashboards.includes(dashboard.title) ? [] : [`no dashboard ${dashboard.title}`]),
    ...charts.flatMap(({ name, x }) => {
      const rows = told.charts[name]?.rows ?? []
      const wanted = x === 'symbol' ? prices.size : prices.size * candles
      return rows.length === wanted ? [] : [`${name}: ${rows.length} rows instead of ${wanted}`]
    }),
  ]
  console.log(JSON.stringify({ dashboards: told.dashboards, charts: told.charts }, null, 2).slice(0, 3_000))
  for (const problem of problems) console.error(problem)
  console.log(problems.length === 0 ? 'The bundle imports, and each chart answers.' : 'FAILED')
  process.exitCode = problems.length === 0 ? 0 : 1
} finally {
  await db.close()
  rmSync(folder, { recursive: true, force: true })
}
