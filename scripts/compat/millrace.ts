import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { type Database, urlOf, withClient } from './postgres.ts'
import type { PlainRecord } from './records.ts'
import { endProcess, type Stage } from './stage.ts'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const pipeline = fileURLToPath(new URL('pipelines/keep.ts', import.meta.url))
/** Longer than a run of a few hundred records takes on a machine that is busy. */
const mostMs = 90_000

/** Where a run keeps what it makes, and what else its environment says. */
export interface RunPlace {
  readonly database: Database
  readonly schema: string
  readonly topic: string
  readonly dataDir: string
  readonly env: Readonly<Record<string, string>>
}

/** What a command has said, and how it ended; null for a signal. */
export interface Ended {
  readonly code: number | null
  readonly output: string
}

/** Runs the command as a process of its own, to its end. */
export async function millrace(stage: Stage, place: Omit<RunPlace, 'topic'>, args: readonly string[]): Promise<Ended> {
  const { child, output, ended } = start(stage, place, args)
  const tooLong = setTimeout(() => void endProcess(child, 'SIGKILL'), mostMs)
  const code = await ended
  clearTimeout(tooLong)
  return { code, output: output() }
}

/**
 * Runs the pipeline of the cases until it has made rows, kills it in the middle, and runs it again to the end of the topic. Throws what it said where it does not end well.
 * @param meanwhile is called once there are rows: more records, for example
 */
export async function keepOverAKill(
  stage: Stage,
  place: RunPlace,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<void> {
  const args = ['run', pipeline, '--topic', place.topic]
  const first = start(stage, place, args)
  const deadline = performance.now() + mostMs
  while ((await keptCount(place)) === 0) {
    const hasEnded = first.child.exitCode !== null
    if (hasEnded || performance.now() > deadline) {
      await endProcess(first.child, 'SIGKILL')
      throw new Error(`the first run ${hasEnded ? 'ended' : 'made no row'}: ${lastLines(first.output())}`)
    }
    await sleep(50)
  }
  await meanwhile()
  first.child.kill('SIGKILL')
  await first.ended
  await keepToTheEnd(stage, place)
}

export async function keepToTheEnd(stage: Stage, place: RunPlace): Promise<void> {
  const { code, output } = await millrace(stage, place, ['run', pipeline, '--topic', place.topic, '--until-end'])
  if (code !== 0)
    throw new Error(`the run to the end ${code === null ? 'did not end' : `ended with ${code}`}: ${lastLines(output)}`)
}

/** What became of the pipeline where it should not start. */
export function keepRefused(stage: Stage, place: RunPlace): Promise<Ended> {
  return millrace(stage, place, ['run', pipeline, '--topic', place.topic, '--until-end'])
}

/** The rows of the pipeline. */
export function keptRecords({ database, schema }: RunPlace): Promise<PlainRecord[]> {
  return withClient(database, async (client) => {
    const { rows } = await client.query<{ key: string | null; value: string | null; headers: string }>(
      `SELECT key, value, headers FROM ${client.escapeIdentifier(schema)}.kept`,
    )
    return rows.map(({ key, value, headers }) => ({ key, value, headers: JSON.parse(headers) }))
  })
}

export function lastLines(output: string): string {
  return output.trim().split('\n').slice(-4).join(' | ').slice(-700)
}

async function keptCount({ database, schema }: RunPlace): Promise<number> {
  return withClient(database, async (client) => {
    const found = await client.query('SELECT to_regclass($1) IS NOT NULL AS found', [`${schema}.kept`])
    if (found.rows[0]?.found !== true) return 0
    const { rows } = await countRows(client, schema)
    return rows[0]?.count ?? 0
  })
}

function countRows(client: pg.Client, schema: string): Promise<pg.QueryResult<{ count: number }>> {
  return client.query(`SELECT count(*)::int AS count FROM ${client.escapeIdentifier(schema)}.kept`)
}

function start(stage: Stage, { database, schema, dataDir, env }: Omit<RunPlace, 'topic'>, args: readonly string[]) {
  const child = stage.spawn(process.execPath, [main, ...args, '--data-dir', dataDir], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      DATABASE_URL: urlOf(database),
      MILLRACE_SCHEMA: schema,
      MILLRACE_ARCHIVE: 'none',
      MILLRACE_TTY: 'false',
      MILLRACE_CHECKPOINT_MS: '50',
      ...env,
    },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-20_000)
    })
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  return { child, ended, output: () => said }
}
