import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { alertIdentity } from '../../src/market/alertEvent.ts'
import { newestAlerts } from '../../src/queries/alertEvents.ts'
import { openConnection, type PostgresAddress } from '../../src/sinks/postgres/connection.ts'
import { dropState } from '../../src/sinks/postgres/stateDrops.ts'
import { Random } from '../../src/testing/random.ts'
import { type Begun, type Life, SpareLives } from './spareLives.ts'

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
  /** Kills before the receiver had answered, right after it, and some ms after that, while decisions are stored and the next are made. */
  readonly before: number
  readonly after: number
  readonly between: number
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
const betweenMs = 40
const moments = ['before', 'after', 'between'] as const

/** Kills a process that tells alerts, again and again, while a request is under way or has just been answered; then compares what was decided with what was told. */
export async function killAtDelivery(options: KillOptions): Promise<KillSummary> {
  const { kills, seed, address, say, ...place } = options
  const random = new Random(seed)
  const told = new Map<string, number>()
  let requests = 0
  const done = { before: 0, after: 0, between: 0 }
  let doomed: { readonly life: Begun; readonly at: number; readonly moment: (typeof moments)[number] } | null = null
  const kill = ({ life, moment }: NonNullable<typeof doomed>) => {
    doomed = null
    if (life.kill()) done[moment] += 1
  }
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      requests += 1
      const killing = doomed !== null && requests >= doomed.at ? doomed : null
      // It has come here all the same: whoever receives may have taken it.
      note(Buffer.concat(parts).toString())
      if (killing?.moment === 'before') {
        kill(killing)
        return response.destroy()
      }
      response.end('{}', () => {
        if (killing?.moment === 'after') kill(killing)
        else if (killing !== null && doomed === killing) {
          doomed = { ...killing, at: Number.POSITIVE_INFINITY }
          const late = doomed
          setTimeout(
            () => {
              if (doomed === late) kill(late)
            },
            random.int(1, betweenMs),
          )
        }
      })
    })
  })
  const note = (body: string) => {
    for (const identity of identitiesIn(body)) told.set(identity, (told.get(identity) ?? 0) + 1)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const lives = new SpareLives(join(place.dataDir, 'compiled'))
  const live = async (isKilled: boolean): Promise<number | null> => {
    const life = lives.begin({ ...place, url })
    if (isKilled) doomed = { life, at: requests + 1 + random.int(0, 3), moment: random.pick(moments) }
    const timer = setTimeout(() => life.kill(), lifeMs)
    try {
      return await life.ended
    } finally {
      clearTimeout(timer)
      doomed = null
    }
  }
  const count = () => done.before + done.after + done.between
  try {
    await lives.warmUp()
    let ended = 0
    while (count() < kills) {
      if ((await live(true)) === 0 && ++ended > 1)
        throw new Error('all was told before there were enough kills: more minutes')
      if (count() % 50 === 0) say(`${count()} kills, ${told.size} told`)
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
      kills: count(),
      ...done,
      decided: decided.length,
      delivered: told.size,
      repeats,
      byRestart,
      byReplay,
      equal: isSame && byRestart === 0 && byReplay === 0 && decided.length === place.minutes,
    }
  } finally {
    await lives.close()
    server.closeAllConnections()
    server.close()
  }
}

function identitiesIn(body: string): readonly string[] {
  const parsed = JSON.parse(body) as { readonly id?: string; readonly alerts?: readonly { readonly id: string }[] }
  return parsed.alerts?.map(({ id }) => id) ?? [String(parsed.id)]
}
