import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { migrate } from '../src/sinks/postgres/migrate.ts'
import { backlogPartitions } from './kafka/backlog.ts'
import { Histogram } from './kafka/histogram.ts'
import { LiveProducer } from './kafka/liveProducer.ts'
import { openBenchPlace } from './kafka/place.ts'
import { type Bench, countOf, runBench, within } from './kafka/runBench.ts'
import { dueAt, type Schedule } from './kafka/schedule.ts'
import { BenchWorker } from './kafka/workerProcess.ts'
import { workerProgram } from './kafka/workerProgram.ts'

const help = `npm run bench:latency -- [--json] [--seconds N] [--rate N]

Time from the moment a trade is produced to the moment another connection sees the open 1m candle with it in PostgreSQL: the realtime pipeline of six
intervals, one worker, a broker, a producer and PostgreSQL on this machine. Every trade counts, from when it was due by the producer's schedule, so that
a producer that falls behind makes the figure worse and not better.

  --rate N           trades a second over four partitions              (50000)
  --seconds N        measured, after a warm-up of 10 s                 (60)
  --checkpoint-ms N  between two checkpoints, and rows of open candles (10)
  --json             only the result, one line of JSON on stdout`

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rate: { type: 'string', default: '50000' },
    seconds: { type: 'string', default: '60' },
    'checkpoint-ms': { type: 'string', default: '10' },
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
    ...{ checkpointMs, provisionalEveryMs: 0 },
  })
  cleanup.add(() => worker.kill())
  const producer = new LiveProducer(place.brokers, topic, rate)
  cleanup.add(() => producer.stop())
  producer.failed.catch(fail)
  const schedule = await producer.schedule
  const histogram = await Promise.race([watch(pool, schedule, measuredMs), worker.failed])
  await producer.stop()
  const { commitMs, cpuSeconds, peakRssMb } = await within(60_000, worker.end('now'), 'the end of the worker')
  const result = {
    rate,
    p50_ms: tenths(histogram.quantile(0.5)),
    p99_ms: tenths(histogram.quantile(0.99)),
    max_ms: tenths(histogram.max),
    checkpoint_ms: tenths(commitMs[commitMs.length >> 1] ?? 0),
    checkpoint_interval_ms: checkpointMs,
    trades: histogram.total,
    worker_cpu_s: tenths(cpuSeconds),
    rss_mb: peakRssMb,
  }
  console.log(JSON.stringify(result))
}

/** Looks at the candles again and again; whatever trade is newly in them was seen now. */
async function watch(pool: pg.Pool, schedule: Schedule, measuredMs: number): Promise<Histogram> {
  const histogram = new Histogram()
  const from = schedule.from + warmUpMs
  const until = from + measuredMs
  const seen: number[] = Array(backlogPartitions).fill(-1)
  for (;;) {
    const { rows } = await pool.query<{ symbol: string; last: string }>({
      name: 'last trades',
      text: 'SELECT symbol, max(last_trade_id) AS last FROM fact_realtime_trades_1m GROUP BY symbol',
    })
    const now = performance.timeOrigin + performance.now()
    for (const { symbol, last } of rows) {
      const partition = Number(symbol.slice(3, 8))
      for (let id = (seen[partition] as number) + 1; id <= Number(last); id++) {
        const due = dueAt(schedule, id * backlogPartitions + partition)
        if (due >= from && due < until) histogram.add(now - due)
      }
      seen[partition] = Number(last)
    }
    const isAllSeen = seen.every((id, partition) => dueAt(schedule, id * backlogPartitions + partition) >= until)
    if (isAllSeen) return histogram
    if (now > until + firstRowTimeoutMs) throw new Error(`rows stopped at trades ${seen.join(', ')}`)
    await sleep(pollMs)
  }
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10
}
