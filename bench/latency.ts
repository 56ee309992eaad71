import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { migrate } from '../src/sinks/postgres/migrate.ts'
import { backlogPartitions } from './kafka/backlog.ts'
import { costOf } from './kafka/cost.ts'
import { Histogram } from './kafka/histogram.ts'
import { LiveProducer } from './kafka/liveProducer.ts'
import type { Moment } from './kafka/moments.ts'
import { openBenchPlace } from './kafka/place.ts'
import { type Bench, countOf, runBench, within } from './kafka/runBench.ts'
import { dueAt, type Schedule, wallClock } from './kafka/schedule.ts'
import { type Measured, timeByStage } from './kafka/stages.ts'
import { BenchWorker } from './kafka/workerProcess.ts'
import { workerProgram } from './kafka/workerProgram.ts'

const help = `npm run bench:latency -- [--json] [--seconds N] [--rate N]

Time from the moment a trade is produced to the moment another connection sees the open 1m candle with it in PostgreSQL: the realtime pipeline of six
intervals, one worker, a broker, a producer and PostgreSQL on this machine. Every trade counts, from when it was due by the producer's schedule, so that
a producer that falls behind makes the figure worse and not better. Behind it, where the time of a trade goes, each stage from the end of the one before, half of the
trades and 99 of 100 within so many ms: sent by the producer, stored by the broker, fetched by the worker, worked (through the operators), cut (a checkpoint has it),
committed, seen. What the worker has taken meanwhile, its start and warm-up left out: of one core, and by checkpoints of a task.

  --rate N           trades a second over four partitions              (50000)
  --seconds N        measured, after a warm-up of 10 s                 (60)
  --checkpoint-ms N  between two checkpoints, and rows of open candles (10)
  --transactions     the producer appends as millrace ingest does, one transaction after the other; without it as most do, confirmed by all replicas and five at a time
  --json             only the result, one line of JSON on stdout`

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rate: { type: 'string', default: '50000' },
    seconds: { type: 'string', default: '60' },
    'checkpoint-ms': { type: 'string', default: '10' },
    transactions: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const topic = 'bench.live'
const warmUpMs = 10_000
const pollMs = 1
const firstRowTimeoutMs = 30_000

if (values.help) console.log(help)
else await runBench(main)

async function main({ cleanup, fail }: Bench): Promise<void> {
  const rate = countOf('--rate', values.rate)
  const measuredMs = countOf('--seconds', values.seconds) * 1_000
  const checkpointMs = countOf('--checkpoint-ms', values['checkpoint-ms'])
  const place = await openBenchPlace(cleanup)
  await place.makeTopic(topic, backlogPartitions)
  const pool = place.pool('public')
  await migrate(pool, 'public')
  const worker = new BenchWorker(await workerProgram(resolve(import.meta.dirname, '..')), {
    ...{ pipeline: 'realtime', brokers: place.brokers, client: 'wire', topic, group: 'latency', instanceId: 'worker' },
    ...{ connection: place.connection, schema: 'public', archive: null },
    ...{ checkpointMs, provisionalEveryMs: 0, tellsMoments: true },
  })
  cleanup.add(() => worker.kill())
  const producer = new LiveProducer(place.brokers, topic, rate, values.transactions ? 'transactions' : 'plain')
  cleanup.add(async () => void (await producer.stop()))
  producer.failed.catch(fail)
  const schedule = await producer.schedule
  const from = schedule.from + warmUpMs
  const measured = { from, until: from + measuredMs }
  const { histogram, seen } = await Promise.race([watch(pool, schedule, measured), worker.failed])
  const produced = await producer.stop()
  const report = await within(60_000, worker.end('now'), 'the end of the worker')
  const { commitMs, cpuSeconds, peakRssMb, moments, cpu } = report
  if (produced === null || moments === undefined) throw new Error('a process has not said what it has done')
  const live = { schedule, partitions: backlogPartitions, produced, worker: moments, seen }
  const byStage = timeByStage(live, measured)
  const cost = costOf(cpu, moments.committed, measured)
  const result = {
    rate,
    p50_ms: tenths(histogram.quantile(0.5)),
    p99_ms: tenths(histogram.quantile(0.99)),
    max_ms: tenths(histogram.max),
    checkpoint_ms: tenths(commitMs[commitMs.length >> 1] ?? 0),
    checkpoint_interval_ms: checkpointMs,
    trades: histogram.total,
    worker_cpu_s: tenths(cpuSeconds),
    worker_cpu_share: hundredths(cost.share),
    checkpoints: cost.checkpoints,
    worker_us_a_checkpoint: Math.round(cost.usACheckpoint),
    rss_mb: peakRssMb,
    stages_p50_p99_ms: Object.fromEntries(
      [...byStage].map(([stage, of]) => [stage, [tenths(of.quantile(0.5)), tenths(of.quantile(0.99))]]),
    ),
  }
  console.log(JSON.stringify(result))
}

/** Looks at the candles again and again; whatever trade is newly in them was seen now. */
async function watch(
  pool: pg.Pool,
  schedule: Schedule,
  { from, until }: Measured,
): Promise<{ readonly histogram: Histogram; readonly seen: readonly Moment[] }> {
  const histogram = new Histogram()
  const moments: Moment[] = []
  const seen: number[] = Array(backlogPartitions).fill(-1)
  for (;;) {
    const { rows } = await pool.query<{ symbol: string; last: string }>({
      name: 'last trades',
      text: 'SELECT symbol, max(last_trade_id) AS last FROM fact_realtime_trades_1m GROUP BY symbol',
    })
    const now = wallClock()
    for (const { symbol, last } of rows) {
      const partition = Number(symbol.slice(3, 8))
      for (let id = (seen[partition] as number) + 1; id <= Number(last); id++) {
        const due = dueAt(schedule, id * backlogPartitions + partition)
        if (due >= from && due < until) histogram.add(now - due)
      }
      if (seen[partition] === Number(last)) continue
      seen[partition] = Number(last)
      moments.push({ partition, until: Number(last) + 1, at: now })
    }
    const isAllSeen = seen.every((id, partition) => dueAt(schedule, id * backlogPartitions + partition) >= until)
    if (isAllSeen) return { histogram, seen: moments }
    if (now > until + firstRowTimeoutMs) throw new Error(`rows stopped at trades ${seen.join(', ')}`)
    await sleep(pollMs)
  }
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100
}
