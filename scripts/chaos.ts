import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { exitOnSignal } from '../src/cli/exitOnSignal.ts'
import { Random } from '../src/testing/random.ts'
import { differencesOf, type Outcome } from '../src/testing/simulation/outcome.ts'
import { CliRun } from './chaos/cliRun.ts'
import { disturb, killsOf, noDisturbances } from './chaos/disturb.ts'
import { dumpOf } from './chaos/dump.ts'
import { writeUnkindTape } from './chaos/unkindTape.ts'

// PostgreSQL is ended when this process exits, and a signal alone would not have it exit so.
exitOnSignal()

const help = `Kills real processes in the middle of a tape, again and again, and compares what is left with an uninterrupted run.

  npm run chaos -- --kills 50 --seed 1

  --kills N    how many times worker, PostgreSQL or both are killed   (50)
  --seed S     decides the tape, and when what is killed               (1)
  --trades N   on the tape                                             (60000)
  --kafka      workers of a real Kafka broker instead of a tape: workers, broker and PostgreSQL are killed, workers suspended until others
               have replaced them, workers come and go, the archive refuses
  --client C   with --kafka: wire or kafkajs                           (wire)
  --pipeline FILE  the pipeline of a file instead, such as examples/sales.ts, while its topics fill: rows, dead letters, topics, archive and webhook
               against an undisturbed replay of the same logs; on the embedded log, or with --kafka
  --below FILE with --pipeline examples/byCustomer.ts: the lower half of the hop as well (examples/spentPerDay.ts); every order counts once below, and none is
               late there that was not late above
  --values N   with --below: how many orders                           (300000)
  --exchange   an ingest of a simulated exchange that goes wrong, and is stopped and started, for --minutes of its time (30), up to ten times as fast: the
               trades in the topic, the candles of them and the other streams against what there was; and whether status tells what is wrong, and nothing else
  --speaks E   with --exchange: binance, or coinbase, of which there are trades alone (binance)
  --batch      batch passes over trades and klines that come, each killed somewhere: silver, gold and the lake against one undisturbed pass
  --keep       leave the data folders for a look
`

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
    trades: { type: 'string', default: '60000' },
    kafka: { type: 'boolean', default: false },
    client: { type: 'string', default: 'wire' },
    pipeline: { type: 'string' },
    below: { type: 'string' },
    values: { type: 'string', default: '300000' },
    exchange: { type: 'boolean', default: false },
    speaks: { type: 'string', default: 'binance' },
    minutes: { type: 'string', default: '30' },
    batch: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

/** A run of an undisturbed tape takes seconds; starting again as often as this without an end means that it will not end. */
const maxStartsInRound = 200
const shownLines = 20

if (values.help) process.stdout.write(help)
else if (values.batch) await chaosOnPasses(count('kills', values.kills), count('seed', values.seed))
else if (values.exchange) await chaosOnMarket(count('minutes', values.minutes), count('seed', values.seed))
else if (values.pipeline !== undefined) await chaosOnFile(values.pipeline)
else if (values.kafka)
  await chaosOnBroker(count('kills', values.kills), count('seed', values.seed), clientOf(values.client))
else await chaos(count('kills', values.kills), count('seed', values.seed), count('trades', values.trades))

async function chaosOnMarket(minutes: number, seed: number): Promise<void> {
  const { chaosOnExchange } = await import('./chaos/exchangeChaos.ts')
  const speaks = values.speaks === 'coinbase' ? 'coinbase' : 'binance'
  const summary = await chaosOnExchange({ speaks, minutes, seed, say })
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  const { missing, duplicates, out_of_order, candles_different, dead_letters, open_gaps, streams, status } = summary
  const ofStreams = Object.values(streams).map((one) => one.missing + one.duplicates + one.out_of_order)
  const wrong = [missing, duplicates, out_of_order, candles_different, dead_letters, open_gaps, ...ofStreams]
  process.exitCode = [...wrong, status.silent, status.crying].every((count) => count === 0) ? 0 : 1
}

async function chaosOnPasses(kills: number, seed: number): Promise<void> {
  const { chaosOnBatch } = await import('./chaos/batch/batchChaos.ts')
  const { startOrJoin } = await import('../src/embedded/embeddedPostgres.ts')
  const folder = mkdtempSync(join(tmpdir(), 'millrace-batch-'))
  // PostgreSQL under another account than root must reach it.
  chmodSync(folder, 0o755)
  const server = await startOrJoin(folder)
  try {
    const summary = await chaosOnBatch({ kills, seed, address: server.connection, say })
    process.stdout.write(`${JSON.stringify(summary)}\n`)
    const { different, uncommitted, lost, orphans } = summary
    process.exitCode = summary.kills === kills && different + uncommitted + lost + orphans === 0 ? 0 : 1
  } finally {
    await server.stop()
    if (!values.keep) rmSync(folder, { recursive: true, force: true })
  }
}

async function chaosOnFile(file: string): Promise<void> {
  const { chaosOnPipeline } = await import('./chaos/pipeline/pipelineChaos.ts')
  const { chaosOnHop } = await import('./chaos/hop/hopChaos.ts')
  const [kills, seed] = [count('kills', values.kills), count('seed', values.seed)]
  const kafka = values.kafka ? clientOf(values.client) : null
  const options = { kills, seed, kafka, isKept: values.keep, say }
  const summary =
    values.below === undefined
      ? await chaosOnPipeline({ ...options, file })
      : await chaosOnHop({ ...options, files: [file, values.below], values: count('values', values.values) })
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  process.exitCode = summary.equal ? 0 : 1
}

async function chaosOnBroker(kills: number, seed: number, client: 'wire' | 'kafkajs'): Promise<void> {
  const { chaosOnKafka } = await import('./chaos/kafka/kafkaChaos.ts')
  const summary = await chaosOnKafka({ kills, seed, client, isKept: values.keep, say })
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  process.exitCode = summary.equal ? 0 : 1
}

async function chaos(kills: number, seed: number, trades: number): Promise<void> {
  const startedAt = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-'))
  // PostgreSQL runs under another account where we are root, and must be able to pass through.
  chmodSync(folder, 0o755)
  const counts = noDisturbances()
  const gaveUp: string[] = []
  const differences: string[] = []
  let starts = 0
  let rounds = 0
  let plain: Outcome = new Map()
  try {
    const tape = join(folder, 'tape.jsonl.gz')
    const lines = writeUnkindTape(tape, trades, seed)
    say(`tape of ${lines} frames; running it undisturbed`)
    const plainDir = join(folder, 'undisturbed')
    const undisturbed = new CliRun(tape, plainDir)
    if ((await undisturbed.ended) !== 0) throw new Error(`the undisturbed run failed:\n${undisturbed.output}`)
    plain = await dumpOf(plainDir)
    say(`undisturbed: ${sizesOf(plain)}`)

    const random = new Random(`chaos ${seed}`)
    while (killsOf(counts) < kills) {
      const dataDir = join(folder, `round-${++rounds}`)
      starts += await round(tape, dataDir, random.fork(`round ${rounds}`))
      const found = differencesOf(plain, await dumpOf(dataDir))
      differences.push(...found.map((line) => `round ${rounds} ${line}`))
      for (const line of found.slice(0, shownLines)) say(`  ${line.slice(0, 300)}`)
      say(
        `round ${rounds}: ${killsOf(counts)}/${kills} kills, ${found.length === 0 ? 'equal' : `${found.length} differences`}`,
      )
      if (!values.keep) rmSync(dataDir, { recursive: true, force: true })
    }
  } finally {
    if (values.keep) say(`data folders: ${folder}`)
    else rmSync(folder, { recursive: true, force: true })
  }

  const { atWork, ...byKind } = counts
  const summary = {
    ...{ kills: killsOf(counts), faults: killsOf(counts) + counts['suspend-worker'], equal: differences.length === 0 },
    ...{ ...byKind, at_work: atWork, rounds, starts, gave_up: gaveUp.length, differences: differences.length },
    ...{ sizes: Object.fromEntries([...plain].map(([name, all]) => [name, all.length])), seed },
    seconds: Math.round((performance.now() - startedAt) / 1000),
  }
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  process.exitCode = differences.length === 0 ? 0 : 1

  /** Starts the tape on an empty folder as often as it takes, disturbing each start; gives how often that was. */
  async function round(tapePath: string, dataDir: string, random: Random): Promise<number> {
    for (let start = 1; start <= maxStartsInRound; start++) {
      const run = new CliRun(tapePath, dataDir)
      await disturb(run, random, counts, () => killsOf(counts) < kills)
      const code = await run.ended
      if (code === 0) return start
      if (code === null) continue
      gaveUp.push(run.output)
      say(`a ${run.isAtWork ? 'run' : 'start'} ended by itself with exit code ${code}:\n${lastLines(run.output)}`)
      // At work it has to wait for the database and go on; a start may say what it misses and end.
      if (run.isAtWork) differences.push(`round ${rounds}: a run gave up with exit code ${code}`)
    }
    throw new Error(`${dataDir}: not done after ${maxStartsInRound} starts`)
  }
}

function clientOf(client: string): 'wire' | 'kafkajs' {
  if (client === 'wire' || client === 'kafkajs') return client
  say(`--client must be wire or kafkajs, got ${JSON.stringify(client)}`)
  process.exit(2)
}

function lastLines(output: string): string {
  return output.split('\n').slice(-45).join('\n')
}

function sizesOf(outcome: Outcome): string {
  return [...outcome]
    .map(([name, lines]) => `${name.replace('table fact_realtime_trades_', '')} ${lines.length}`)
    .join(', ')
}

function count(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  say(`--${name} must be a whole number, got ${JSON.stringify(text)}`)
  process.exit(2)
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
