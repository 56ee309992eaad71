import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import type { OpenedTopic } from '../../../src/host/openedTopic.ts'
import { RetryableError } from '../../../src/runtime/errors.ts'
import { openPool } from '../../../src/sinks/postgres/connection.ts'
import { Random } from '../../../src/testing/random.ts'
import { InputWriter } from '../pipeline/inputWriter.ts'
import { logRecords } from '../pipeline/logRecords.ts'
import type { Faults, KafkaClient, Stage } from '../pipeline/stage.ts'
import { openStage } from '../pipeline/stages.ts'
import { type WorkerPlace, WorkerProcess } from '../workers.ts'
import { type HopLeft, hopVerdict } from './hopTruth.ts'
import { type ShopOrder, shopOrderSteps } from './shopOrders.ts'

interface HopChaosOptions {
  /** The pipeline that writes the topic between, and the one that reads it. */
  readonly files: readonly [above: string, below: string]
  readonly kills: number
  readonly seed: number
  /** How many orders. */
  readonly values: number
  /** The client of the workers on Kafka; null for the embedded log. */
  readonly kafka: KafkaClient | null
  readonly isKept: boolean
  readonly say: (line: string) => void
}

/** What is printed at the end. */
interface HopChaosSummary {
  readonly kills: number
  /** Every order counted once below, none late there that was not late above. */
  readonly equal: boolean
  readonly [more: string]: unknown
}

const inputTopic = 'orders.shop'
const betweenTopic = 'orders.customer'
const schema = 'public'
const drainTimeoutMs = 600_000
const shownLines = 20
const retryMs = 200
/** A lot of orders comes as often while there are kills to come. */
const lotsAKill = 25
const msAKill = 2_500
/** So many kills in a row go to one of both. */
const turn = 3

/**
 * Runs both halves of a hop by the command while orders come, strikes at the workers of both and at what they work with, in turns, and lets both come to the end: orders → by customer → per day.
 * What is left has to be what follows from the orders by definition.
 */
export async function chaosOnHop(options: HopChaosOptions): Promise<HopChaosSummary> {
  const { files, kills, seed, values, isKept, say } = options
  const startedAt = performance.now()
  const [above, below] = files.map((file) => resolve(file)) as [string, string]
  const folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-hop-'))
  // PostgreSQL runs under another account where we are root, and must be able to pass through.
  chmodSync(folder, 0o755)
  const closing: (() => Promise<unknown> | unknown)[] = []
  try {
    const stage = await openStage(options.kafka, {
      folder,
      run: [above],
      nodeFlags: ['--import', fileURLToPath(new URL('../pipeline/ownImports.ts', import.meta.url))],
      // The orders are of weeks ago, and a broker goes by their time.
      env: { KAFKA_RETENTION_HOURS: '87600' },
      retentionHours: 8_760,
      ...{ topics: [inputTopic], say, closing },
    })
    const places = { above: stage.place, below: { ...stage.place, run: [below] } }
    const writer = new InputWriter(new Map([[inputTopic, await openInput(stage)]]))
    closing.push(() => writer.close())
    let isHurried = false
    const lots = Math.max(1, Math.ceil(values / 300))
    const paceMs = Math.min(msAKill / lotsAKill, (kills * msAKill) / lots)
    const writing = writer.write(shopOrderSteps(seed, values, () => (isHurried ? 0 : paceMs)))
    writing.catch(() => undefined)

    const gaveUp: string[] = []
    const random = new Random(`chaos of a hop ${seed}`)
    const strikers = (['above', 'below'] as const).map((half) => {
      const faults = stage.faults(
        random.fork(half),
        (worker, code) => {
          say(`worker ${worker.id} ${half} ended by itself with exit code ${code}:\n${lastLines(worker.output)}`)
          // At work it has to wait for what is away; a start may say what it misses and end.
          if (worker.isAtWork) gaveUp.push(`! a worker ${half} gave up: ${worker.output.slice(-300)}`)
        },
        { place: places[half], pipeline: half === 'above' ? 'by_customer' : 'spent_per_day' },
      )
      closing.push(() => faults.kill())
      return faults
    })
    await Promise.race([strike(strikers, kills), writing.then(() => new Promise<never>(() => undefined))])
    isHurried = true
    await writing
    say(`${sum(strikers, 'kills')} kills, ${sum(strikers, 'faults')} faults; ${writer.records} orders written`)
    for (const faults of strikers) await faults.end()
    await drain(places.above, ['--until-end', '--close-open'], say)
    await drain(places.below, ['--until-end'], say)
    const { differences, sizes } = hopVerdict(await leftOn(stage))
    const all = [...differences, ...gaveUp]
    for (const line of all.slice(0, shownLines)) say(`  ${line.slice(0, 400)}`)
    return {
      ...{ kills: sum(strikers, 'kills'), faults: sum(strikers, 'faults'), equal: all.length === 0 },
      ...{ above: strikers[0]?.counts, below: strikers[1]?.counts, starts: sum(strikers, 'starts') },
      ...{ gave_up: gaveUp.length, differences: all.length, sizes, seed },
      seconds: Math.round((performance.now() - startedAt) / 1_000),
    }
  } finally {
    for (const close of closing.reverse()) await Promise.resolve(close()).catch((error: unknown) => say(String(error)))
    if (isKept) say(`data folders: ${folder}`)
    else rmSync(folder, { recursive: true, force: true })
  }
}

/** A broker may take a moment until everybody knows who leads a topic that was made just now. */
async function openInput(stage: Stage): Promise<OpenedTopic> {
  for (;;) {
    try {
      return await stage.openTopic(inputTopic)
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error
      await sleep(retryMs)
    }
  }
}

/** In turns, so that no two strike at a server that is on its way back. */
async function strike(strikers: readonly Faults[], kills: number): Promise<void> {
  while (sum(strikers, 'kills') < kills) {
    for (const faults of strikers) {
      const left = kills - sum(strikers, 'kills')
      if (left > 0) await faults.strike(faults.kills + Math.min(turn, left))
    }
  }
}

/** One worker alone, to the end of the topic. */
async function drain(place: WorkerPlace, flags: readonly string[], say: (line: string) => void): Promise<void> {
  const worker = new WorkerProcess(place, 'last', flags)
  const killing = setTimeout(() => worker.signal('SIGKILL'), drainTimeoutMs)
  const code = await worker.ended
  clearTimeout(killing)
  if (code !== 0) throw new Error(`the last worker ended with ${code}:\n${worker.output}`)
  say(lastLines(worker.output, 6))
}

async function leftOn(stage: Stage): Promise<HopLeft> {
  const pool = openPool(stage.database, { schema, applicationName: 'chaos', maxConnections: 1 })
  const sources = await Promise.all([inputTopic, betweenTopic].map((topic) => stage.openSource(topic)))
  try {
    const [orders = [], between = []] = await Promise.all(sources.map(logRecords))
    const { rows } = await pool.query<{ customer: string; day: Date; orders: number; cents: string }>(
      'SELECT customer, day, orders, cents FROM spent_per_day',
    )
    return {
      ...{ orders, between },
      rows: rows.map((row) => ({ ...row, day: row.day.getTime(), cents: Number(row.cents) })),
      lettersAbove: (await lettersOf(pool, 'by_customer')).map(({ reason, payload }) => `${reason} ${payload}`),
      lettersBelow: (await lettersOf(pool, 'spent_per_day')).map(
        ({ payload }) => JSON.parse(String(payload)) as ShopOrder,
      ),
    }
  } finally {
    for (const source of sources) await source.close()
    await pool.end()
  }
}

async function lettersOf(pool: pg.Pool, pipeline: string) {
  const { rows } = await pool.query<{ reason: string; payload: Buffer | null }>(
    'SELECT reason, payload FROM dead_letter WHERE pipeline = $1',
    [pipeline],
  )
  return rows
}

function sum(strikers: readonly Faults[], of: 'kills' | 'faults' | 'starts'): number {
  return strikers.reduce((total, faults) => total + faults[of], 0)
}

function lastLines(output: string, count = 30): string {
  return output.trimEnd().split('\n').slice(-count).join('\n')
}
