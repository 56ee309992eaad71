import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { exitOnSignal } from '../src/cli/exitOnSignal.ts'
import { keepYoungGenerationSmall } from '../src/cli/youngGeneration.ts'
import { benchBackfill } from './batch/backfill.ts'
import { benchPasses } from './batch/passes.ts'

// PostgreSQL is ended when this process exits, and a signal alone would not have it exit so.
exitOnSignal()

const help = `npm run bench:batch -- [--trades N] [--minutes N] [--json]

Measures the replay of archive objects through candles of 1m and 5m, beside DuckDB's SQL over the same files where Python has duckdb (MILLRACE_TEST_PYTHON), and batch
passes over klines: everything, nothing new, and five minutes of three symbols; through silver, checks, gold and the lake, beside dbt build over the same klines
where Python has dbt-postgres; and how many times as fast two workers fill a range of a job.
Figures of different machines, or of a busy one, do not compare: look at ratios within one run.

  --trades N    archived trades          (600000)
  --minutes N   minutes of three symbols (132000)
  --json        only the result, one line of JSON on stdout
`

const { values } = parseArgs({
  options: {
    trades: { type: 'string', default: '600000' },
    minutes: { type: 'string', default: '132000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(help)
else {
  const say = (line: string) => {
    if (!values.json) console.error(line)
  }
  // As the command does.
  keepYoungGenerationSmall()
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-batch-'))
  // PostgreSQL under another account than root must reach it.
  chmodSync(folder, 0o755)
  try {
    say('passes …')
    const passes = await benchPasses(join(folder, 'data'), Number(values.minutes))
    say('replay …')
    const replay = replayed(join(folder, 'archive'), values.trades)
    say('DuckDB …')
    say('backfill …')
    const backfill = await benchBackfill(join(folder, 'backfill'))
    console.log(
      JSON.stringify({ ...replay, ...backfill, ...duckdb(join(folder, 'archive'), Number(values.trades)), ...passes }),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** In a process of its own: what the passes have taught the compiler is of no use to it. */
function replayed(folder: string, trades: string): Record<string, number> {
  const program = fileURLToPath(new URL('./batch/replayProcess.ts', import.meta.url))
  const { status, stdout } = spawnSync(process.execPath, [...process.execArgv, program, folder, trades], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error('the replay has failed')
  return JSON.parse(stdout)
}

/** The same candles by SQL over the same files, on one thread. */
function duckdb(folder: string, trades: number): Record<string, number | null> {
  const python = process.env.MILLRACE_TEST_PYTHON ?? 'python3'
  const program = `
import duckdb, resource, sys
def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
connection = duckdb.connect(config={"threads": 1})
best = None
for _ in range(3):
    before = cpu()
    connection.execute("""
        WITH trades AS (
            SELECT value.data.s AS symbol, "timestamp" AS ms, value.data.t AS id, value.data.p::DECIMAL(18,8) AS price, value.data.q::DECIMAL(18,8) AS quantity, value.data.m AS maker
            FROM read_json(?, format = 'newline_delimited', compression = 'zstd', columns = {
                'timestamp': 'BIGINT', 'value': 'STRUCT(data STRUCT(s VARCHAR, t BIGINT, p VARCHAR, q VARCHAR, m BOOLEAN))'})
        ), minutes AS (
            SELECT symbol, ms // 60000 AS minute, arg_min(price, id) AS open, max(price) AS high, min(price) AS low, arg_max(price, id) AS close, sum(quantity) AS volume,
                sum(price::DECIMAL(19,8) * quantity::DECIMAL(19,8)) AS quote, count(*) AS trades, sum(CASE WHEN maker THEN 0 ELSE quantity END) AS taker
            FROM trades GROUP BY ALL
        )
        SELECT symbol, minute // 5 AS five, arg_min(open, minute), max(high), min(low), arg_max(close, minute), sum(volume), sum(quote), sum(trades), sum(taker) FROM minutes GROUP BY ALL
    """, [sys.argv[1]]).fetchall()
    took = cpu() - before
    best = took if best is None else min(best, took)
print(best)
`
  const { status, stdout } = spawnSync(python, ['-c', program, join(folder, '**/*.jsonl.zst')], { encoding: 'utf8' })
  return { duckdb_trades_per_cpu_s: status === 0 ? Math.round(trades / Number(stdout)) : null }
}
