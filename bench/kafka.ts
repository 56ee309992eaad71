import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { intervals } from '../src/market/interval.ts'
import { migrate } from '../src/sinks/postgres/migrate.ts'
import { backlogPartitions, fillBacklog } from './kafka/backlog.ts'
import { type BenchPlace, openBenchPlace } from './kafka/place.ts'
import { poll } from './kafka/poll.ts'
import { type Bench, countOf, runBench } from './kafka/runBench.ts'
import { type BenchJob, BenchWorker } from './kafka/workerProcess.ts'
import { workerProgram } from './kafka/workerProgram.ts'

const help = `npm run bench:kafka -- [--json] [--records N]

A backlog in a Kafka topic of four partitions, through decoding, dedupe and windows, into candles in PostgreSQL, committed exactly once: both
clients, with and without the archive of raw records, one and two worker processes. Everything runs on this machine; a broker is started unless
KAFKA_BROKERS names one. Each run is whole processes: from their start to the last commit, processor time and memory of the workers alone.

  --records N      in the backlog                                               (10000000)
  --clients LIST   which of wire,kafkajs                                        (both)
  --pipeline NAME  bench: candles of 1m and 5m; realtime: the main job, all six (bench)
  --against DIR    a checkout of other code, installed and built: its worker and ours in turns, one worker, with --clients wire. Both write the same tables,
                   so it must have the migrations of this one or older
  --archive        with the archive; only with --against
  --rounds N       of both; only with --against                                 (3)
  --json           only the result, one line of JSON on stdout

  npm run bench:kafka -- --json | tail -1 | jq '.[] | {client, archive, workers, records_per_s}'`

const clients = ['wire', 'kafkajs'] as const

/** Of this checkout, or of that of --against. */
interface Turn extends Measured {
  readonly code: 'this' | 'other'
}

interface Measured {
  readonly pipeline: BenchJob['pipeline']
  readonly client: (typeof clients)[number]
  readonly archive: boolean
  readonly workers: number
  readonly records: number
  readonly records_per_s: number
  readonly cpu_s_per_million: number
  readonly rss_mb: number
  readonly first_row_s: number
}

/** The tables that count every trade, by pipeline. */
const countingTables = {
  bench: ['fact_realtime_trades_1m', 'fact_realtime_trades_5m'],
  realtime: intervals.map((interval) => `fact_realtime_trades_${interval}`),
}

const topic = 'bench.trades'
const checkpointMs = 250
const firstRowPollMs = 5
const progressPollMs = 20
const timeoutMs = 30 * 60_000
let runs = 0

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    records: { type: 'string', default: '10000000' },
    clients: { type: 'string', default: clients.join(',') },
    pipeline: { type: 'string', default: 'bench' },
    against: { type: 'string' },
    archive: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
})

const pipeline = values.pipeline === 'bench' || values.pipeline === 'realtime' ? values.pipeline : null

if (values.help) console.log(help)
else if (pipeline === null) {
  console.error(`--pipeline is bench or realtime, got ${values.pipeline}.`)
  process.exitCode = 2
} else await runBench((bench) => main(bench, pipeline))

async function main({ cleanup }: Bench, pipeline: BenchJob['pipeline']): Promise<void> {
  const records = countOf('--records', values.records)
  const place = await openBenchPlace(cleanup)
  await place.makeTopic(topic, backlogPartitions)
  const startedAt = performance.now()
  const { valueBytes } = await fillBacklog(place.brokers, topic, records)
  say(`${records} records of ${valueBytes} bytes produced in ${Math.round((performance.now() - startedAt) / 1_000)} s`)
  const chosen = clients.filter((client) => values.clients.split(',').includes(client))
  // Before the first run nothing is compiled or in the cache of the file system, and that is nobody's figure.
  const program = await workerProgram(resolve(import.meta.dirname, '..'))
  await measure(place, pipeline, program, 'wire', false, 1, records)
  if (values.against !== undefined) {
    console.log(
      JSON.stringify(await inTurns(place, pipeline, records, program, await workerProgram(resolve(values.against)))),
    )
    return
  }
  const results: Measured[] = []
  for (const client of chosen) {
    for (const archive of [false, true]) {
      for (const workers of [1, 2]) {
        const result = await measure(place, pipeline, program, client, archive, workers, records)
        say(JSON.stringify(result))
        results.push(result)
      }
    }
  }
  console.log(JSON.stringify(results))
}

/** One run of the other code before each of ours, so that a change of the machine is in both. */
async function inTurns(
  place: BenchPlace,
  pipeline: BenchJob['pipeline'],
  records: number,
  program: string,
  other: string,
): Promise<readonly Turn[]> {
  const results: Turn[] = []
  const rounds = countOf('--rounds', values.rounds)
  await measure(place, pipeline, other, 'wire', values.archive, 1, records)
  for (let round = 0; round < rounds; round += 1) {
    for (const [code, of] of [
      ['other', other],
      ['this', program],
    ] as const) {
      const result = { code, ...(await measure(place, pipeline, of, 'wire', values.archive, 1, records)) }
      say(JSON.stringify(result))
      results.push(result)
    }
  }
  return results
}

async function measure(
  place: BenchPlace,
  pipeline: BenchJob['pipeline'],
  program: string,
  client: Measured['client'],
  archive: boolean,
  workers: number,
  records: number,
): Promise<Measured> {
  const name = `run_${++runs}`
  const pool = place.pool(name)
  await migrate(pool, name)
  const startedAt = performance.now()
  const seconds = () => (performance.now() - startedAt) / 1_000
  const started = Array.from(
    { length: workers },
    (_, index) =>
      new BenchWorker(program, {
        ...{ pipeline, brokers: place.brokers, client, topic, group: name, instanceId: `worker-${index + 1}` },
        ...{ connection: place.connection, schema: name, checkpointMs, provisionalEveryMs: checkpointMs },
        archive: archive ? join(place.folder, name) : null,
      }),
  )
  try {
    const done = (async () => {
      const limits = { everyMs: firstRowPollMs, timeoutMs }
      await poll(limits, async () => (await pool.query('SELECT FROM fact_realtime_trades_1m LIMIT 1')).rowCount === 1)
      const firstRow = seconds()
      await poll({ everyMs: progressPollMs, timeoutMs }, async () => {
        const { rows } = await pool.query<{ sum: string }>('SELECT sum(next_offset) FROM stream_task')
        return Number(rows[0]?.sum ?? 0) >= records
      })
      const committed = seconds()
      // A small backlog is done before the last worker has joined. To drain while partitions move is another measurement, and leaves windows open.
      await poll({ everyMs: progressPollMs, timeoutMs }, async () => {
        const { rows } = await pool.query<{ owners: string }>('SELECT count(DISTINCT owner) AS owners FROM stream_task')
        return Number(rows[0]?.owners) === workers
      })
      return { firstRow, committed }
    })()
    const { firstRow, committed } = await Promise.race([done, ...started.map(({ failed }) => failed)])
    const reports = await Promise.all(started.map((worker) => worker.end('drain-and-close')))
    // With an archive, the work is done when the last object is stored.
    const took = archive ? seconds() : committed
    await checkCandles(pool, pipeline, records)
    const cpuSeconds = reports.reduce((sum, report) => sum + report.cpuSeconds, 0)
    return {
      pipeline,
      client,
      archive,
      workers,
      records,
      records_per_s: Math.round(records / took),
      cpu_s_per_million: round((cpuSeconds * 1e6) / records),
      rss_mb: Math.max(...reports.map(({ peakRssMb }) => peakRssMb)),
      first_row_s: round(firstRow),
    }
  } finally {
    for (const worker of started) worker.kill()
  }
}

/** A figure of a run that lost or repeated something would be worth nothing. */
async function checkCandles(
  pool: ReturnType<BenchPlace['pool']>,
  pipeline: BenchJob['pipeline'],
  records: number,
): Promise<void> {
  for (const table of countingTables[pipeline]) {
    const { rows } = await pool.query<{ sum: string }>(`SELECT sum(trade_count) FROM ${table}`)
    if (Number(rows[0]?.sum) !== records) throw new Error(`${table} holds ${rows[0]?.sum} of ${records} trades`)
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

function say(line: string): void {
  if (!values.json) console.error(line)
}
