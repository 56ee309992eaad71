import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { PostgresConnection } from '../../src/sinks/postgres/connection.ts'

const intervals = { '5m': '5 minutes', '15m': '15 minutes', '1h': '1 hour', '4h': '4 hours', '1d': '1 day' } as const

/** Seconds that dbt takes to build the same silver and gold of raw_klines, with six tests; null where Python has no dbt-postgres. */
export function dbtBuild(folder: string, { host, port, user, password, database }: PostgresConnection): number | null {
  const models = join(folder, 'models')
  mkdirSync(models, { recursive: true })
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  write(
    'dbt_project.yml',
    "name: bench\nversion: '1.0'\nconfig-version: 2\nprofile: bench\nmodel-paths: [models]\nmodels: {bench: {+materialized: table}}\n",
  )
  write(
    'profiles.yml',
    `bench:\n  target: here\n  outputs:\n    here: {type: postgres, host: ${host}, port: ${port}, user: ${user}, password: ${JSON.stringify(password)}, dbname: ${database}, schema: dbt, threads: 2}\n`,
  )
  write(
    'models/silver.sql',
    `select market, symbol, open_time, open, high, low, close, volume, quote_volume, trade_count, taker_buy_volume, taker_buy_quote_volume, quote_volume / nullif(volume, 0) as vwap
from public.raw_klines where interval = '1m'`,
  )
  for (const [name, length] of Object.entries(intervals)) {
    write(
      `models/gold_${name}.sql`,
      `select market, symbol, date_bin('${length}', open_time, timestamptz '2000-01-01Z') as open_time, (array_agg(open order by open_time))[1] as open, max(high) as high, min(low) as low,
  (array_agg(close order by open_time desc))[1] as close, sum(volume) as volume, sum(quote_volume) as quote_volume, sum(trade_count) as trade_count, sum(taker_buy_volume) as taker_buy_volume,
  sum(taker_buy_quote_volume) as taker_buy_quote_volume, sum(quote_volume) / nullif(sum(volume), 0) as vwap
from {{ ref('silver') }} group by 1, 2, 3`,
    )
  }
  const notNull = ['open', 'high', 'low', 'close', 'volume'].map((name) => `{name: ${name}, data_tests: [not_null]}`)
  write(
    'models/tests.yml',
    `version: 2\nmodels:\n  - name: silver\n    columns: [${notNull.join(', ')}, {name: market, data_tests: [{accepted_values: {arguments: {values: [spot]}}}]}]\n`,
  )
  const python = process.env.MILLRACE_TEST_PYTHON
  const dbt = python === undefined ? 'dbt' : join(dirname(python), 'dbt')
  const startedAt = performance.now()
  const run = spawnSync(dbt, ['build', '--project-dir', folder, '--profiles-dir', folder], {
    encoding: 'utf8',
    env: { ...process.env, DBT_SEND_ANONYMOUS_USAGE_STATS: 'false' },
  })
  if (run.error !== undefined) return null
  if (run.status !== 0) throw new Error(`dbt build has failed: ${run.stdout}${run.stderr}`)
  return Math.round(performance.now() - startedAt) / 1_000
}
