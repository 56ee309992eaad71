import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { alertIdentity } from '../../src/market/alertEvent.ts'
import { newestAlerts } from '../../src/queries/alertEvents.ts'
import { openConnection, type PostgresAddress } from '../../src/sinks/postgres/connection.ts'
import { dropState } from '../../src/sinks/postgres/stateDrops.ts'
import { Random } from '../../src/testing/random.ts'

/** What a life is told. */
export interface Life {
  readonly databaseUrl: string
  readonly schema: string
  readonly dataDir: string
  /** Of the receiver. */
  readonly url: string
  /** How many there are, each a decision. */
  readonly minutes: number
  /** Between two of them. */
  readonly pauseMs: number
}

export interface KillOptions extends Omit<Life, 'url'> {
  readonly kills: number
  readonly seed: number
  /** Of the same database. */
  readonly address: PostgresAddress
  readonly say: (line: string) => void
}

/** What came of it. */
export interface KillSummary {
  readonly kills: number
  /** Kills before the receiver had answered, and after it. */
  readonly before: number
  readonly after: number
  readonly decided: number
  /** Different identities that the receiver was told. */
  readonly delivered: number
  /** How often it was told one again, which a crash may cause. */
  readonly repeats: number
  /** What it was told by a restart at the end, and by a replay of the topic from its beginning. */
  readonly byRestart: number
  readonly byReplay: number
  readonly equal: boolean
}

const lifeMs = 600_000

/** Kills a process that tells alerts, again and again, while a request is under way or has just been answered; then compares what was decided with what was told. */
export async function killAtDelivery(options: KillOptions): Promise<KillSummary> {
  const { kills, seed, address, say, ...place } = options
  const random = new Random(seed)
  const told = new Map<string, number>()
  let requests = 0
  let done = { before: 0, after: 0 }
  let doomed: { readonly pid: number; readonly at: number; readonly isBefore: boolean } | null = null
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      requests += 1
      const killing = doomed !== null && requests >= doomed.at ? doomed : null
      if (killing?.isBefore === true) {
        doomed = null
        done = { ...done, before: done.before + 1 }
        // It has come here all the same: whoever receives may have taken it.
        note(Buffer.concat(parts).toString())
        process.kill(killing.pid, 'SIGKILL')
        return response.destroy()
      }
      note(Buffer.concat(parts).toString())
      response.end('{}', () => {
        if (killing === null) return
        doomed = null
        done = { ...done, after: done.after + 1 }
        process.kill(killing.pid, 'SIGKILL')
      })
    })
  })
  const note = (body: string) => {
    for (const identity of identitiesIn(body)) told.set(identity, (told.get(identity) ?? 0) + 1)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const live = async (isKilled: boolean): Promise<number | null> => {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('life.ts', import.meta.url)), JSON.stringify({ ...place, url } satisfies Life)],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, NODE_COMPILE_CACHE: place.dataDir } },
    )
    let errors = ''
    child.stderr.on('data', (data: Buffer) => {
      errors += data.toString()
    })
    if (isKilled)
      doomed = { pid: child.pid as number, at: requests + 1 + random.int(0, 3), isBefore: random.chance(0.5) }
    const timer = setTimeout(() => child.kill('SIGKILL'), lifeMs)
    const [code] = (await once(child, 'exit')) as [number | null]
    clearTimeout(timer)
    doomed = null
    if (code !== null && code !== 0) throw new Error(`a life ended with ${code}: ${errors}`)
    return code
  }
  try {
    let ended = 0
    while (done.before + done.after < kills) {
      if ((await live(true)) === 0 && ++ended > 1)
        throw new Error('all was told before there were enough kills: more minutes')
      const count = done.before + done.after
      if (count % 50 === 0) say(`${count} kills, ${told.size} told`)
    }
    while ((await live(false)) !== 0) say('the last life was too long; once more')
    const repeats = [...told.values()].reduce((sum, count) => sum + count - 1, 0)
    const beforeRestart = requests
    await live(false)
    const beforeReplay = requests
    const client = await openConnection(address, {
      schema: place.schema,
      applicationName: 'alert kills',
      connectTimeoutMs: 5_000,
    })
    let decided: readonly string[]
    try {
      await dropState(client, 'crossings')
      await live(false)
      decided = (await newestAlerts(client, 1_000_000)).map(alertIdentity)
    } finally {
      await client.end()
    }
    const isSame = decided.length === told.size && decided.every((identity) => told.has(identity))
    const [byRestart, byReplay] = [beforeReplay - beforeRestart, requests - beforeReplay]
    return {
      kills: done.before + done.after,
      ...done,
      decided: decided.length,
      delivered: told.size,
      repeats,
      byRestart,
      byReplay,
      equal: isSame && byRestart === 0 && byReplay === 0 && decided.length === place.minutes,
    }
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

function identitiesIn(body: string): readonly string[] {
  const parsed = JSON.parse(body) as { readonly id?: string; readonly alerts?: readonly { readonly id: string }[] }
  return parsed.alerts?.map(({ id }) => id) ?? [String(parsed.id)]
}
