import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { migrate } from '../src/sinks/postgres/migrate.ts'
import { backlogPartitions } from './kafka/backlog.ts'
import { BenchedWorker } from './kafka/benchedWorker.ts'
import { LiveProducer } from './kafka/liveProducer.ts'
import { type BenchPlace, openBenchPlace } from './kafka/place.ts'
import { poll } from './kafka/poll.ts'
import { type Bench, countOf, runBench, within } from './kafka/runBench.ts'

const help = `npm run bench:takeover -- [--json] [--session-timeout-ms N]

Kills one of two workers of the real command with kill -9 while trades come in, and takes the time until each of its partitions has a new row of the other
one; then kills a lone worker, starts it again, and takes the time from that start until each partition has a new row.

  --session-timeout-ms N   KAFKA_SESSION_TIMEOUT_MS of the workers (the command's default)
  --rounds N               of each, the slowest counts             (3)
  --json                   only the result, one line of JSON on stdout`

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    'session-timeout-ms': { type: 'string', default: '6000' },
    rounds: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
})

const topic = 'bench.takeover'
const tradesPerSecond = 4_000
const pollEvery = { everyMs: 5, timeoutMs: 120_000 }
/** So that both have long settled, and rows of before are not taken for new ones. */
const calmMs = 1_500

if (values.help) console.log(help)
else await runBench(main)

async function main({ cleanup, fail }: Bench): Promise<void> {
  const sessionTimeoutMs = countOf('--session-timeout-ms', values['session-timeout-ms'])
  const rounds = countOf('--rounds', values.rounds)
  const place = await openBenchPlace(cleanup)
  await place.makeTopic(topic, backlogPartitions)
  const pool = place.pool('public')
  await migrate(pool, 'public')
  const producer = new LiveProducer(place.brokers, topic, tradesPerSecond, 'transactions')
  cleanup.add(async () => void (await producer.stop()))
  producer.failed.catch(fail)
  await within(60_000, producer.schedule, 'the start of the producer')
  const settings = placeOf(place, sessionTimeoutMs)
  const start = (id: string) => {
    const worker = new BenchedWorker(settings, id, fail)
    cleanup.add(() => worker.kill())
    return worker
  }
  const takeovers: number[] = []
  const restarts: number[] = []
  for (let round = 0; round < rounds; round++) {
    const [first, second] = [start('first'), start('second')]
    for (const { pid } of [first, second])
      await poll(pollEvery, async () => (await owned(pool, pid)).length === backlogPartitions / 2)
    await sleep(calmMs)
    takeovers.push(await untilNewRows(pool, await owned(pool, first.pid), () => void first.kill(), second))
    say(`taken over after ${takeovers.at(-1)} s`)
    await second.stop()
    // A group that remembers nobody: the dead member's session is over, too.
    await sleep(sessionTimeoutMs)
    const lone = start('lone')
    await poll(pollEvery, async () => (await owned(pool, lone.pid)).length === backlogPartitions)
    await sleep(calmMs)
    const partitions = await owned(pool, lone.pid)
    await lone.kill()
    let again = lone
    restarts.push(
      await untilNewRows(pool, partitions, () => {
        again = start('lone')
      }),
    )
    say(`back ${restarts.at(-1)} s after the restart`)
    await again.stop()
  }
  console.log(
    JSON.stringify({
      takeover_s: Math.max(...takeovers),
      session_timeout_s: sessionTimeoutMs / 1_000,
      restart_s: Math.max(...restarts),
      rounds,
    }),
  )
}

function placeOf({ brokers, connection, folder }: BenchPlace, sessionTimeoutMs: number) {
  const { user, password, host, port, database } = connection
  return {
    run: ['realtime', '--source', 'none', '--topic', topic, '--group', 'takeover'],
    dataDir: join(folder, 'workers'),
    env: {
      MILLRACE_TTY: 'false',
      MILLRACE_ARCHIVE: 'none',
      KAFKA_BROKERS: brokers.join(','),
      KAFKA_SESSION_TIMEOUT_MS: String(sessionTimeoutMs),
      DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`,
    },
  }
}

/** Partitions whose last claim was made by the process. */
async function owned(pool: pg.Pool, pid: number): Promise<number[]> {
  const { rows } = await pool.query<{ partition: number }>('SELECT partition FROM stream_task WHERE owner = $1', [
    `${hostname()}:${pid}`,
  ])
  return rows.map(({ partition }) => partition)
}

/** Seconds from the act until the candles of every one of the partitions have a trade that they had not before. */
async function untilNewRows(
  pool: pg.Pool,
  partitions: readonly number[],
  act: () => unknown,
  heir: BenchedWorker | null = null,
): Promise<number> {
  const startedAt = performance.now()
  act()
  // What the killed one had sent may still be committed by the server: what is there a moment later is of before.
  await sleep(50)
  const before = await lastTrades(pool)
  await poll(pollEvery, async () => {
    const inherited = heir === null ? partitions : await owned(pool, heir.pid)
    if (!partitions.every((partition) => inherited.includes(partition))) return false
    const now = await lastTrades(pool)
    return partitions.every((partition) => (now.get(partition) ?? -1) > (before.get(partition) ?? -1))
  })
  return Math.round((performance.now() - startedAt) / 10) / 100
}

/** By partition: symbol i is in partition i. */
async function lastTrades(pool: pg.Pool): Promise<ReadonlyMap<number, number>> {
  const { rows } = await pool.query<{ symbol: string; last: string }>(
    'SELECT symbol, max(last_trade_id) AS last FROM fact_realtime_trades_1m GROUP BY symbol',
  )
  return new Map(rows.map(({ symbol, last }) => [Number(symbol.slice(3, 8)), Number(last)]))
}

function say(line: string): void {
  if (!values.json) console.error(line)
}
