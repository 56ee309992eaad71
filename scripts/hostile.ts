import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { exitOnSignal } from '../src/cli/exitOnSignal.ts'
import { startOrJoin } from '../src/embedded/embeddedPostgres.ts'
import { openPool } from '../src/sinks/postgres/connection.ts'
import { migrate } from '../src/sinks/postgres/migrate.ts'
import { Random } from '../src/testing/random.ts'
import { kafkaRound } from './hostile/kafkaRound.ts'
import { logRound } from './hostile/logRound.ts'
import type { Round, RoundPlace } from './hostile/round.ts'
import { settingsRound } from './hostile/settingsRound.ts'
import { tapeRound } from './hostile/tapeRound.ts'
import { superuserOf } from './superuser.ts'

// PostgreSQL is ended when this process exits, and a signal alone would not have it exit so.
exitOnSignal()

const help = `Gives the real command mutated records, batches, frames and settings, each round from a seed of its own, and looks at what is left: every sound
record has its effect, every other a dead letter with a reason or a refusal, no start fails twice for one record, and the memory of the process stays below a bound.

  npm run hostile -- --seconds 120 --seed 1
  npm run hostile -- --seed 4711 --rounds 1          one round again, as a failing one says
  npm run hostile -- --seed 1 --only kafka           one kind alone

  --seconds N   begin no round after so many                         (120)
  --seed S      the seed of the first round; the next one has S + 1   (1)
  --rounds N    at most so many                                       (as many as fit)
  --only KIND   log, kafka, tape or settings                          (all, in turn by the seed)
  --memory MB   what the process under test may have                  (400)
  --keep        leave the folders for a look
  --json        nothing but the line of JSON at the end
`

const kinds = ['log', 'kafka', 'tape', 'settings'] as const
type Kind = (typeof kinds)[number]

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string' },
    only: { type: 'string' },
    memory: { type: 'string', default: '400' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(help)
else
  await hostile(
    count('seconds', values.seconds),
    count('seed', values.seed),
    onlyOf(values.only),
    count('memory', values.memory),
  )

async function hostile(seconds: number, seed: number, only: Kind | null, mostMb: number): Promise<void> {
  const startedAt = performance.now()
  const rounds = values.rounds === undefined ? Number.POSITIVE_INFINITY : count('rounds', values.rounds)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-hostile-'))
  // PostgreSQL runs under another account where we are root, and must be able to pass through.
  chmodSync(folder, 0o755)
  const server = await startOrJoin(join(folder, 'database'))
  const brokers = only === null || only === 'kafka' ? await brokersOrWhy() : null
  if (typeof brokers === 'string') say(`SKIPPED: rounds with Kafka (${brokers})`)
  const totals = { rounds: 0, starts: 0, records: 0, skipped: 0, peakMb: 0, failedSeeds: [] as number[], problems: 0 }
  const byKind: Record<Kind, number> = { log: 0, kafka: 0, tape: 0, settings: 0 }
  try {
    for (let round = 0; round < rounds && elapsed() < seconds; round++) {
      const own = seed + round
      const random = new Random(`hostile ${own}`)
      const kind = only ?? kindOf(random, typeof brokers === 'object' && brokers !== null)
      const found = await one(kind, own, random)
      byKind[kind] += 1
      totals.rounds += 1
      totals.starts += found.starts
      totals.records += found.records
      totals.skipped += found.skipped
      totals.peakMb = Math.max(totals.peakMb, found.peakMb)
      const problems =
        found.peakMb <= mostMb
          ? found.problems
          : [...found.problems, `the process had ${found.peakMb} MB, more than ${mostMb}`]
      totals.problems += problems.length
      const told = `${found.records} records, ${found.starts} starts, ${found.skipped} skips, ${found.peakMb} MB`
      say(
        `seed ${own} ${kind}: ${told}, ${problems.length === 0 ? 'all as it must be' : `${problems.length} PROBLEMS`}`,
      )
      for (const line of problems.slice(0, 8)) say(`  ${line.slice(0, 900)}`)
      if (problems.length === 0) continue
      totals.failedSeeds.push(own)
      say(`  again: npm run hostile -- --seed ${own} --rounds 1${only === null ? '' : ` --only ${only}`}`)
    }
  } finally {
    if (brokers !== null && typeof brokers === 'object') await brokers.close()
    await server.stop()
    if (values.keep) say(`folders: ${folder}`)
    else rmSync(folder, { recursive: true, force: true })
  }
  const isSound = totals.problems === 0
  process.stdout.write(
    `${JSON.stringify({ ok: isSound, ...totals, byKind, kafka: typeof brokers === 'string' ? 'skipped' : 'real', seed, mostMb, seconds: Math.round(elapsed()) })}\n`,
  )
  process.exitCode = isSound ? 0 : 1

  function elapsed(): number {
    return (performance.now() - startedAt) / 1000
  }

  async function one(kind: Kind, own: number, random: Random): Promise<Round> {
    const cwd = join(folder, `round-${own}`)
    mkdirSync(cwd)
    const name = `hostile_${own}_${kind}`
    const { user, password, host, port } = server.connection
    const superuser = superuserOf(server.connection, join(folder, 'database'))
    const admin = openPool(superuser, { schema: 'public', applicationName: 'hostile' })
    await admin.query(`CREATE DATABASE ${name} OWNER ${user}`)
    const schema = kind === 'tape' ? 'public' : 'hostile'
    const pool = openPool({ ...server.connection, database: name }, { schema, applicationName: 'hostile' })
    const env = {
      DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${name}`,
      MILLRACE_DATA_DIR: join(cwd, 'data'),
      MILLRACE_TTY: 'false',
    }
    const place: RoundPlace = { folder: cwd, env, schema, pool }
    try {
      await migrate(pool, schema)
      if (kind === 'log') return await logRound(random, place)
      if (kind === 'tape') return await tapeRound(random, place)
      if (kind === 'settings') return await settingsRound(random, place)
      if (brokers === null || typeof brokers === 'string')
        return { starts: 0, records: 0, skipped: 0, peakMb: 0, problems: [] }
      return await kafkaRound(random, place, brokers.brokers)
    } finally {
      await pool.end()
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
      await admin.end()
      if (!values.keep) rmSync(cwd, { recursive: true, force: true })
    }
  }
}

/** A broker, or why there is none. */
async function brokersOrWhy() {
  const { hasKafka, kafkaTitle, sharedBroker } = await import('../test/support/kafkaBroker.ts')
  return hasKafka ? sharedBroker() : kafkaTitle('no broker')
}

function kindOf(random: Random, hasKafka: boolean): Kind {
  const kind = random.pick(['log', 'log', 'log', 'kafka', 'kafka', 'tape', 'settings'] as const)
  return kind === 'kafka' && !hasKafka ? 'log' : kind
}

function onlyOf(text: string | undefined): Kind | null {
  if (text === undefined) return null
  const kind = kinds.find((one) => one === text)
  if (kind === undefined) throw new Error(`--only ${text}: there are ${kinds.join(', ')}`)
  return kind
}

function count(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new Error(`--${name} must be a whole number, got ${text}`)
}

function say(line: string): void {
  if (!values.json) process.stderr.write(`${line}\n`)
}
