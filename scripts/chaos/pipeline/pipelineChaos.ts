import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { loadPipeline } from '../../../src/cli/loadPipeline.ts'
import type { OpenedTopic } from '../../../src/host/openedTopic.ts'
import { outletPlanOf } from '../../../src/host/outletPlan.ts'
import { topicsOf } from '../../../src/host/runTopic.ts'
import type { LogSource } from '../../../src/runtime/log/log.ts'
import type { Pipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { openPool, quoteIdentifier } from '../../../src/sinks/postgres/connection.ts'
import { Random } from '../../../src/testing/random.ts'
import { differencesOf, type Outcome } from '../../../src/testing/simulation/outcome.ts'
import { type Statements, tablesOf } from '../dump.ts'
import { type WorkerPlace, WorkerProcess } from '../workers.ts'
import { archiveDifferences, type ManifestEntry, topicDifferences, webhookDifferences } from './comparison.ts'
import { InputWriter } from './inputWriter.ts'
import { logRecords } from './logRecords.ts'
import './ownImports.ts'
import { type Received, ReceiverProcess } from './receiverProcess.ts'
import { stepLines } from './recordedSteps.ts'
import { replay } from './replay.ts'
import { type Step, salesRecords } from './salesRecords.ts'
import type { KafkaClient, Stage } from './stage.ts'
import { openStage } from './stages.ts'

interface PipelineChaosOptions {
  readonly file: string
  readonly kills: number
  readonly seed: number
  /** The client of the workers on Kafka; null for the embedded log. */
  readonly kafka: KafkaClient | null
  readonly isKept: boolean
  readonly say: (line: string) => void
}

/** What is printed at the end. */
interface PipelineChaosSummary {
  readonly kills: number
  readonly faults: number
  /** Rows, dead letters, notes, state, topics and archive as of the replay, and of the webhook every id, none else, and one body each. */
  readonly equal: boolean
  readonly [more: string]: unknown
}

/** How a pipeline is tried. */
interface Trial {
  /** What fills its topics. */
  readonly records: (seed: number, now: () => number) => Iterable<Step>
  /** The variable by which it is told the address of its webhook. */
  readonly webhookVariable: string
}

/** By the name of the pipeline. */
const trials: Readonly<Record<string, Trial>> = {
  sales: { records: salesRecords, webhookVariable: 'SALES_REVIEW_URL' },
}

const live = 'public'
const replayed = 'replayed'
const drainTimeoutMs = 300_000
const shownLines = 20

/**
 * Runs the pipeline of a file by the command while its topics fill, strikes again and again at the workers and what they work with, drains what the topics hold, and then repeats
 * it undisturbed from the same logs and the recorded steps and order. Whatever was left has to be what the replay makes.
 */
export async function chaosOnPipeline(options: PipelineChaosOptions): Promise<PipelineChaosSummary> {
  const { file, kills, seed, isKept, say } = options
  const startedAt = performance.now()
  const pipeline = await loadPipeline(resolve(file))
  const trial = trials[pipeline.name]
  if (trial === undefined) {
    throw new Error(
      `nothing fills the topics of pipeline ${pipeline.name}: known are ${Object.keys(trials).join(', ')}; add it to trials in scripts/chaos/pipeline/pipelineChaos.ts`,
    )
  }
  const folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-pipeline-'))
  // PostgreSQL runs under another account where we are root, and must be able to pass through.
  chmodSync(folder, 0o755)
  const closing: (() => Promise<unknown> | unknown)[] = []
  try {
    const receiver = await ReceiverProcess.start(seed)
    closing.push(() => receiver.stop())
    const topics = topicsOf(pipeline, undefined).map(({ name }) => name)
    const stage = await openStage(options.kafka, {
      folder,
      run: [resolve(file)],
      nodeFlags: ['--import', fileURLToPath(new URL('ownImports.ts', import.meta.url))],
      env: { [trial.webhookVariable]: receiver.url },
      ...{ topics, say, closing },
    })
    const opened = new Map<string, OpenedTopic>()
    for (const topic of topics) opened.set(topic, await stage.openTopic(topic))
    const writer = new InputWriter(opened)
    closing.push(() => writer.close())
    const writing = writer.write(trial.records(seed, Date.now))
    writing.catch(() => undefined)

    const gaveUp: string[] = []
    const faults = stage.faults(new Random(`chaos of ${pipeline.name} ${seed}`), (worker, code) => {
      // At work it has to wait for what is away; a start may say what it misses and end.
      say(`worker ${worker.id} ended by itself with exit code ${code}:\n${lastLines(worker.output)}`)
      if (worker.isAtWork) gaveUp.push(`a worker gave up: ${worker.output.slice(-300)}`)
    })
    closing.push(() => faults.kill())
    await Promise.race([faults.strike(kills), writing.then(() => new Promise<never>(() => undefined))])
    writer.enough()
    await writing
    say(`${faults.kills} kills, ${faults.faults} faults; ${writer.records} records written`)
    await faults.end()
    await drain(stage.place, say)
    say('the same logs without disturbances')
    const { differences, sizes } = await compare(pipeline, stage, topics, await receiver.received())
    const all = [...differences, ...gaveUp]
    for (const line of all.slice(0, shownLines)) say(`  ${line.slice(0, 400)}`)
    return {
      ...{ kills: faults.kills, faults: faults.faults, equal: all.length === 0, pipeline: pipeline.name },
      ...{ ...faults.counts, starts: faults.starts, gave_up: gaveUp.length },
      ...{ records: writer.records, differences: all.length, sizes, seed },
      seconds: Math.round((performance.now() - startedAt) / 1_000),
    }
  } finally {
    for (const close of closing.reverse()) await Promise.resolve(close()).catch((error: unknown) => say(String(error)))
    if (isKept) say(`data folders: ${folder}`)
    else rmSync(folder, { recursive: true, force: true })
  }
}

/** One worker alone, to the end of the topics; it closes what is open then. */
async function drain(place: WorkerPlace, say: (line: string) => void): Promise<void> {
  const worker = new WorkerProcess(place, 'last', ['--until-end', '--close-open'])
  const killing = setTimeout(() => worker.signal('SIGKILL'), drainTimeoutMs)
  const code = await worker.ended
  clearTimeout(killing)
  if (code !== 0) throw new Error(`the last worker ended with ${code}:\n${worker.output}`)
  say(lastLines(worker.output, 8))
}

async function compare(pipeline: Pipeline, stage: Stage, topics: readonly string[], received: Received) {
  const { database, partitions } = stage
  const sources = new Map<string, LogSource>()
  const pools = [live, replayed].map((schema) =>
    openPool(database, { schema, applicationName: 'chaos', maxConnections: 1 }),
  )
  const open = async (topic: string) => {
    const source = sources.get(topic) ?? (await stage.openSource(topic))
    sources.set(topic, source)
    return source
  }
  try {
    const inputs = await Promise.all(topics.map(open))
    const made = await replay({ pipeline, sources: inputs, address: database, recorded: live, schema: replayed })
    const own = rowsOf(pipeline)
    const logs = await Promise.all(inputs.map(logRecords))
    const outcomeOf = async (pool: pg.Pool): Promise<Outcome> =>
      new Map([...(await tablesOf(pool, own)), ['idle advances', await stepLines(pool, logs)]])
    const [left, plain] = await Promise.all(pools.map(outcomeOf))
    if (left === undefined || plain === undefined) throw new Error('bug: two schemas, two outcomes')
    const objects = stage.objects()
    const manifest = await pools[0]?.query<ManifestEntry>('SELECT topic, partition, key FROM archive_object')
    const entries = manifest?.rows ?? []
    const differences = differencesOf(plain, left)
    const sizes = Object.fromEntries([...left].map(([name, lines]): [string, number] => [name, lines.length]))
    for (const topic of new Set(entries.map((entry) => entry.topic))) {
      const records = logs[topics.indexOf(topic)] ?? []
      differences.push(...archiveDifferences(topic, records, entries, objects))
      sizes[`archive of ${topic}`] = records.length
    }
    for (const [outlet, target] of made.targets) {
      const decided = made.messages.filter((message) => message.outlet === outlet)
      differences.push(
        ...(target.kind === 'topic'
          ? topicDifferences(target.topic, await logRecords(await open(target.topic)), decided, partitions)
          : webhookDifferences(outlet, received, decided)),
      )
      sizes[outlet] = decided.length
    }
    const { requests, unkind } = received
    return { differences, sizes: { ...sizes, objects: objects.size, requests, unkind } }
  } finally {
    for (const source of sources.values()) await source.close()
    for (const pool of pools) await pool.end()
  }
}

function rowsOf(pipeline: Pipeline): Statements {
  const names = outletPlanOf(pipeline).tables.map(({ name }) => name)
  return Object.fromEntries(
    names.map((name) => [
      `table ${name}`,
      `SELECT line FROM (SELECT (to_jsonb(t) - 'row_owner')::text AS line FROM ${quoteIdentifier(name)} t) AS rows ORDER BY line COLLATE "C"`,
    ]),
  )
}

function lastLines(output: string, count = 30): string {
  return output.trimEnd().split('\n').slice(-count).join('\n')
}
