import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { PostgresConnection } from '../src/sinks/postgres/connection.ts'
import { migrate } from '../src/sinks/postgres/migrate.ts'
import { kafkaSettings } from '../src/sources/kafka/kafkaSettings.ts'
import { kafkaTopics } from '../src/sources/kafka/producer/kafkaTopics.ts'
import { openBenchPlace } from './kafka/place.ts'
import { type Bench, countOf, runBench } from './kafka/runBench.ts'
import { storedRows } from './nexmark/digest.ts'
import { eventAt, kinds } from './nexmark/events.ts'
import { fill, type NexmarkTopics } from './nexmark/fill.ts'
import { digestOf, eventsOf, oracle, type Query, queries } from './nexmark/oracle.ts'
import { runQuery } from './nexmark/runQuery.ts'

/** So few that a run over them is its start-up. */
const fewEvents = 1_000

const help = `npm run bench:nexmark -- [--json] [--events N] [--queries LIST]

Each query of Nexmark over the first N events in Kafka, by the command that is built (\`millrace run bench/nexmark/q5.ts --until-end --close-open\`), into PostgreSQL.
Figures are of the whole process, from its start to its end; startup_cpu_s is what the same command takes on ${fewEvents} events. Each table is compared with what the query is by its definition. A broker is started unless KAFKA_BROKERS
names one.

  --events N      in the three topics, of four partitions each        (1000000)
  --queries LIST  which of ${queries.join(',')}      (all)
  --no-oracle     compares nothing: for many events, or little time
  --json          only the result, one line of JSON on stdout

  npm run bench:nexmark -- --json | tail -1 | jq '.[] | {query, events_per_s, cpu_s_per_million}'`

interface Measured {
  readonly query: Query
  readonly events: number
  readonly rows: number
  readonly events_per_s: number
  readonly cpu_s_per_million: number
  readonly startup_cpu_s: number
  readonly rss_mb: number
  readonly digest: string
}

const partitions = 4
const prefix = `bench-nexmark-${process.pid}`
const fewPrefix = `${prefix}-few`

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    events: { type: 'string', default: '1000000' },
    queries: { type: 'string', default: queries.join(',') },
    'no-oracle': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(help)
else await runBench(main)

async function main({ cleanup }: Bench): Promise<void> {
  const count = countOf('--events', values.events)
  const chosen = values.queries.split(',').map(queryOf)
  build()
  const place = await openBenchPlace(cleanup)
  for (const kind of kinds) {
    for (const topics of [prefix, fewPrefix]) await place.makeTopic(`${topics}-${kind}`, partitions)
  }
  const startedAt = performance.now()
  await fillTopics(place.brokers, fewPrefix, fewEvents)
  await fillTopics(place.brokers, prefix, count)
  say(`${count} events produced in ${Math.round((performance.now() - startedAt) / 1_000)} s`)
  const events = values['no-oracle'] ? null : eventsOf(eventsUpTo(count))
  const results: Measured[] = []
  for (const query of chosen) {
    const schema = `nexmark_${query}`
    const pool = place.pool(schema)
    await migrate(pool, schema)
    const folder = join(place.folder, query)
    mkdirSync(folder)
    const run = (schema: string, topics: string) => {
      const env = {
        KAFKA_BROKERS: place.brokers.join(','),
        DATABASE_URL: urlOf(place.connection),
        MILLRACE_SCHEMA: schema,
        NEXMARK_PREFIX: topics,
      }
      return runQuery(query, folder, env, cleanup)
    }
    const started = await run(`${schema}_few`, fewPrefix)
    const used = await run(schema, prefix)
    const stored = await storedRows(pool, query)
    if (events !== null) check(query, stored, oracle[query](events))
    await pool.query(`DROP TABLE nexmark_${query}`)
    const result: Measured = {
      query,
      events: count,
      rows: stored.rows,
      events_per_s: Math.round(count / used.seconds),
      cpu_s_per_million: Math.round((used.cpuSeconds * 1e8) / count) / 100,
      startup_cpu_s: Math.round(started.cpuSeconds * 100) / 100,
      rss_mb: used.rssMb,
      digest: stored.digest,
    }
    say(JSON.stringify(result))
    results.push(result)
  }
  console.log(JSON.stringify(results))
}

/** A figure of a run that lost or repeated something would be worth nothing. */
function check(query: Query, stored: { rows: number; digest: string }, expected: ReturnType<(typeof oracle)[Query]>) {
  if (stored.rows === expected.length && stored.digest === digestOf(expected)) return
  throw new Error(
    `table nexmark_${query} is not what the query is by its definition: it has ${stored.rows} rows, digest ${stored.digest}, and should have ${expected.length}, digest ${digestOf(expected)}`,
  )
}

async function fillTopics(brokers: readonly string[], prefix: string, count: number): Promise<void> {
  const open = kafkaTopics(kafkaSettings({ brokers: [...brokers], clientId: 'bench' }), { compression: 'none' })
  const [person, auction, bid] = await Promise.all(kinds.map((kind) => open(`${prefix}-${kind}`)))
  const topics = { person, auction, bid } as NexmarkTopics
  try {
    await fill(topics, eventsUpTo(count))
  } finally {
    for (const kind of kinds) await topics[kind].writer.close()
  }
}

function* eventsUpTo(count: number) {
  for (let k = 0; k < count; k += 1) yield eventAt(k)
}

function build(): void {
  const root = resolve(import.meta.dirname, '..')
  const { status } = spawnSync(process.execPath, [join(root, 'scripts/build.ts')], { stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error('the command could not be built, see above')
}

function queryOf(text: string): Query {
  const query = queries.find((one) => one === text)
  if (query === undefined) throw new Error(`--queries: there is no ${text}; there are ${queries.join(', ')}`)
  return query
}

function urlOf({ host, port, user, password, database }: PostgresConnection): string {
  const url = new URL(`postgres://${host}:${port}/${database}`)
  url.username = user
  url.password = password
  return url.href
}

function say(line: string): void {
  if (!values.json) console.error(line)
}
