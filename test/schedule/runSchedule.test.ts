import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { ConfigurationError, TaskFencedError } from '../../src/runtime/errors.ts'
import { alarmSchema, databaseOf } from '../../src/schedule/alarm.ts'
import { defineJob, type JobOptions } from '../../src/schedule/job.ts'
import { Ledger } from '../../src/schedule/ledger.ts'
import { runSchedule, type ScheduleSettings } from '../../src/schedule/runSchedule.ts'
import { runChild } from '../support/childProcess.ts'
import { testDatabase } from '../support/postgres.ts'
import type { ScheduleWorkerArguments } from '../support/workers/scheduleWorker.ts'

const db = await testDatabase()
const minute = 60_000
const five = 5 * minute
await db.pool.query('CREATE TABLE counted (at timestamptz, run_id text)')

beforeEach(() => db.pool.query('TRUNCATE batch_run, batch_schedule, outbox, counted'))
afterAll(async () => {
  await db.pool.query(`DROP SCHEMA IF EXISTS ${alarmSchema(db.schema)} CASCADE`)
  await db.close()
})

const jobOf = (options: Partial<JobOptions>) =>
  defineJob({ name: 'job', every: '5m', retryAfter: 0, run: async () => ({}), ...options })

const run = (options: Partial<JobOptions>, settings: Partial<ScheduleSettings> = {}) =>
  runSchedule(jobOf(options), {
    database: db.connection,
    schema: db.schema,
    untilDone: true,
    lookEvery: 50,
    ...settings,
  })

/** Puts the job back to where it stood some time ago, as after being down for so long. */
async function downFor(ms: number, name = 'job') {
  const from = Math.floor((Date.now() - ms) / five) * five
  await db.pool.query(
    'INSERT INTO batch_schedule VALUES ($1, $2, $3) ON CONFLICT (pipeline) DO UPDATE SET next_from = excluded.next_from',
    [...[name, five, new Date(from)]],
  )
  return from
}

const ledger = async () =>
  (
    await db.pool.query(
      'SELECT interval_from, interval_to, attempt, run_id, state, cause, worker, rows, error FROM batch_run ORDER BY interval_from, attempt',
    )
  ).rows

async function until(isSo: () => Promise<boolean> | boolean, what: string) {
  for (const end = Date.now() + 30_000; !(await isSo()); await sleep(25)) {
    if (Date.now() > end) throw new Error(`not within 30 s: ${what}`)
  }
}

describe('the ledger', () => {
  it('makes up for every interval that was missed, in order, and keeps what each counted', async () => {
    const from = await downFor(61 * minute)
    const seen: number[] = []
    const ended = await run({
      run: async (interval) => {
        seen.push(interval.from)
        expect(interval.to - interval.from).toBe(five)
        return { rows: seen.length }
      },
    })
    const expected = Array.from({ length: seen.length }, (_, i) => from + i * five)
    expect(seen.length).toBeGreaterThanOrEqual(12)
    expect(seen).toEqual(expected)
    expect(ended).toEqual({ done: seen.length, failed: 0, lost: 0, givenUp: 0 })
    const rows = await ledger()
    expect(rows.map((row) => [row.interval_from.getTime(), row.state, row.attempt, row.cause, row.rows.rows])).toEqual(
      expected.map((at, i) => [at, 'done', 1, 'schedule', i + 1]),
    )
    expect(rows[0].run_id).toBe(
      `job/${new Date(from).toISOString().replace('.000', '')}/${new Date(from + five).toISOString().replace('.000', '')}/1`,
    )
  })

  it('begins with the interval of the first start, which is not over, or where it is told to', async () => {
    expect((await run({})).done).toBe(0)
    const { rows } = await db.pool.query('SELECT next_from FROM batch_schedule')
    expect(Date.now() - rows[0].next_from.getTime()).toBeLessThan(five)
    expect((await run({ name: 'other', startFrom: Date.now() - 3 * five - 1 })).done).toBeGreaterThanOrEqual(3)
  })

  it('waits for late data', async () => {
    await downFor(2 * five)
    expect((await run({ delay: '1d' })).done).toBe(0)
  })

  it('goes on without a gap where the length of the intervals changes', async () => {
    const from = await downFor(5 * 60 * minute)
    const seen: { from: number; to: number }[] = []
    await run({ every: '1h', run: async (interval) => ({ seen: seen.push(interval) }) })
    expect(seen[0]?.from).toBe(from)
    for (const [i, { from: begin, to }] of seen.entries()) {
      expect(to % (60 * minute)).toBe(0)
      if (i > 0) expect(begin).toBe(seen[i - 1]?.to)
    }
    expect(seen.at(-1)!.to).toBeGreaterThan(Date.now() - 60 * minute)
  })

  it('writes what is planned once, however many workers plan', async () => {
    await downFor(61 * minute)
    const ledgers = [1, 2, 3].map(() => new Ledger(db.pool, jobOf({})))
    await Promise.all(ledgers.map((one) => one.plan(async () => {})))
    const rows = await ledger()
    expect(new Set(rows.map((row) => row.interval_from.getTime())).size).toBe(rows.length)
    expect(rows.every((row) => row.state === 'waiting')).toBe(true)
  })

  it('gives as many intervals at a time as the job says', async () => {
    await downFor(61 * minute)
    for (const parallel of [1, 3]) {
      const one = new Ledger(db.pool, jobOf({ parallel }))
      await one.plan(async () => {})
      const claims = await Promise.all([1, 2, 3, 4, 5].map((worker) => one.claim(`worker ${worker}`)))
      expect(claims.filter((claim) => claim !== null)).toHaveLength(parallel === 1 ? 1 : 2)
    }
    const { rows } = await db.pool.query(
      `SELECT count(*)::int AS count, count(DISTINCT interval_from)::int AS intervals FROM batch_run WHERE state = 'running'`,
    )
    expect(rows).toEqual([{ count: 3, intervals: 3 }])
  })

  it('fills a range, leaves alone what is done, and does it again when asked', async () => {
    const one = new Ledger(db.pool, jobOf({}))
    await one.register()
    const range = { from: Date.UTC(2024, 0, 1), to: Date.UTC(2024, 0, 1, 1) }
    expect(await one.backfill(range, false)).toBe(12)
    expect(await one.backfill(range, false)).toBe(0)
    expect((await run({})).done).toBe(12)
    expect(await one.backfill(range, false)).toBe(0)
    expect(await one.backfill({ ...range, to: range.from + five }, true)).toBe(1)
    await run({})
    expect((await ledger()).map((row) => [row.attempt, row.cause, row.state]).slice(0, 3)).toEqual([
      [1, 'backfill', 'done'],
      [2, 'backfill', 'done'],
      [1, 'backfill', 'done'],
    ])
    expect(await one.backfill({ from: Date.now() - 1, to: Date.now() + five }, false)).toBe(0)
  })
})

describe('a run that fails', () => {
  it('is tried again, and is done once it succeeds', async () => {
    await downFor(five)
    let tried = 0
    const ended = await run({
      attempts: 3,
      run: async (_, { attempt }) => {
        tried += 1
        expect(attempt).toBe(tried)
        if (tried < 3) throw new Error(`no ${tried}`)
        return { rows: 1 }
      },
    })
    expect(ended).toMatchObject({ done: 1, failed: 2, givenUp: 0 })
    expect((await ledger()).map((row) => [row.attempt, row.state, row.cause, row.error])).toEqual([
      [1, 'failed', 'schedule', 'no 1'],
      [2, 'failed', 'retry', 'no 2'],
      [3, 'done', 'retry', null],
    ])
  })

  it('has all the time that its job gives it, a month too', async () => {
    await downFor(five)
    const slow = () => sleep(50, undefined)
    expect(await run({ timeout: '30d', lease: '366d', run: slow })).toMatchObject({ done: 1, failed: 0 })
  })

  it('waits twice as long for each further attempt', async () => {
    await downFor(five)
    const one = new Ledger(db.pool, jobOf({ retryAfter: '10s' }))
    await one.plan(async () => {})
    for (const waitS of [10, 20, 40]) {
      const claim = await one.claim('w')
      await one.failed(claim!, new Error('no'))
      const { rows } = await db.pool.query(
        `SELECT extract(epoch FROM not_before - clock_timestamp()) AS wait FROM batch_run WHERE state = 'waiting'`,
      )
      expect(Math.abs(Number(rows[0].wait) - waitS)).toBeLessThan(3)
      expect(await one.claim('w')).toBeNull()
      await db.pool.query('UPDATE batch_run SET not_before = clock_timestamp()')
    }
  })

  it('is not tried again where that is no use, and holds nothing else up', async () => {
    await downFor(2 * five)
    const ended = await run({
      run: async (_, { runId }) => {
        if (runId.endsWith('/1') && (await ledger()).filter((row) => row.state === 'failed').length === 0) {
          throw new ConfigurationError('wrong table')
        }
        return undefined
      },
    })
    expect(ended).toMatchObject({ done: 1, failed: 1, givenUp: 1 })
    expect((await ledger())[0].error).toBe('MILLRACE_CONFIGURATION: wrong table')
  })

  it('wakes somebody when it is given up: once, with an id that stays the same, and not before', async () => {
    const got: { id: string; body: string }[] = []
    let answer = 503
    const server = createServer((request: IncomingMessage, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        got.push({ id: String(request.headers['idempotency-key']), body })
        response.writeHead(answer).end()
        answer = 200
      })
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
    try {
      await downFor(five)
      const failing = { attempts: 2, run: () => Promise.reject(new Error('disk full')) }
      expect((await run(failing, { onFailure: { url, body: ({ text }) => ({ text }) } })).givenUp).toBe(1)
      expect(got.map(({ id }) => id)).toEqual(['job/batch_run/0/failures/1', 'job/batch_run/0/failures/1'])
      expect(JSON.parse(got[1]!.body).text).toMatch(/^Job job failed for .* to .* after 2 attempts: disk full$/)
      await run(failing, { onFailure: { url } })
      expect(got).toHaveLength(2)
      await db.pool.query(`UPDATE batch_schedule SET next_from = next_from - interval '10 minutes'`)
      await run(failing, { onFailure: { url } })
      expect(got.at(-1)?.id).toBe('job/batch_run/0/failures/2')
      expect(JSON.parse(got.at(-1)!.body)).toMatchObject({ job: 'job', tried: 2, error: 'disk full' })
    } finally {
      server.close()
    }
  })

  it('tells what a run has to tell with what it stores, and goes on', async () => {
    const got: { text: string; isGivenUp: boolean; error: string }[] = []
    const server = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        got.push(JSON.parse(body))
        response.end()
      })
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
    try {
      await downFor(five)
      let tries = 0
      const ended = await run(
        {
          attempts: 2,
          run: async (_, { pool, tell, settle }) => {
            tries += 1
            const client = await pool.connect()
            try {
              await client.query('BEGIN')
              await tell(client, `two hours are wrong, try ${tries}`)
              if (tries === 1) throw new Error('not yet')
              await settle(client)
              await client.query('COMMIT')
            } finally {
              client.release(true)
            }
            return {}
          },
        },
        { onFailure: { url } },
      )
      expect(ended).toMatchObject({ done: 1, failed: 1, givenUp: 0 })
      expect(got).toHaveLength(1)
      expect(got[0]).toMatchObject({ isGivenUp: false, error: 'two hours are wrong, try 2' })
      expect(got[0]?.text).toMatch(/^Job job, .* to .*: two hours are wrong, try 2$/)
    } finally {
      server.close()
    }
  })

  it('is told of once, however many workers are there', async () => {
    const got: string[] = []
    const server = createServer((request, response) => {
      got.push(String(request.headers['idempotency-key']))
      setTimeout(() => response.end(), 30)
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    try {
      await downFor(9 * five)
      const failing = { attempts: 1, parallel: 3, run: () => Promise.reject(new Error('no')) }
      await Promise.all(['a', 'b', 'c'].map((worker) => run(failing, { worker, onFailure: { url } })))
      expect(got.sort()).toEqual(Array.from({ length: 9 }, (_, i) => `job/batch_run/0/failures/${i + 1}`))
    } finally {
      server.close()
    }
  })

  it('tells of what another worker has stored and could not send', async () => {
    await downFor(five)
    const failing = { attempts: 1, run: () => Promise.reject(new Error('no')) }
    const gone = new AbortController()
    const lines: string[] = []
    setTimeout(() => gone.abort(), 1_500)
    await run(failing, {
      onFailure: { url: 'http://127.0.0.1:1/' },
      signal: gone.signal,
      say: (line) => void lines.push(line),
    })
    expect(lines.at(-1)).toContain('1 messages wait to be sent')
    const got: string[] = []
    const server = createServer((request, response) => {
      got.push(String(request.headers['idempotency-key']))
      response.end()
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    await run({}, { onFailure: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` } })
    server.close()
    expect(got).toEqual(['job/batch_run/0/failures/1'])
  })
})

describe('settle', () => {
  it('stores the work and the end of the run together', async () => {
    const from = await downFor(five)
    let tries = 0
    const ended = await run({
      run: async (interval, { pool, settle, runId }) => {
        tries += 1
        const client = await pool.connect()
        try {
          await client.query('BEGIN')
          await client.query('INSERT INTO counted VALUES ($1, $2)', [new Date(interval.from), runId])
          await settle(client, { rows: 7 })
          if (tries === 1) throw new Error('before the commit')
          await client.query('COMMIT')
          if (tries === 2) throw new Error('behind the commit')
        } finally {
          client.release(true)
        }
        return undefined
      },
    })
    expect(ended).toMatchObject({ done: 1, failed: 1 })
    expect((await db.pool.query('SELECT * FROM counted')).rows).toEqual([
      { at: new Date(from), run_id: expect.stringMatching(/\/2$/) },
    ])
    expect((await ledger()).map((row) => [row.state, row.rows])).toEqual([
      ['failed', null],
      ['done', { rows: 7 }],
    ])
  })

  it('refuses a worker that was silent for too long, and its signal says so', async () => {
    await downFor(five)
    const one = new Ledger(db.pool, jobOf({ lease: '1s' }))
    let error: unknown
    let isAborted = false
    const ended = await run({
      lease: '1s',
      run: async (_, { pool, settle, signal, attempt }) => {
        if (attempt > 1) return undefined
        // As if the process had been frozen, and another worker had come.
        await db.pool.query(`UPDATE batch_run SET leased_until = clock_timestamp() - interval '1 second'`)
        const taken = await one.claim('another')
        await one.done(taken!, {})
        await until(() => signal.aborted, 'the signal')
        isAborted = signal.reason instanceof TaskFencedError
        const client = await pool.connect()
        await settle(client).catch((thrown) => {
          error = thrown
        })
        client.release(true)
        throw error
      },
    })
    expect(error).toBeInstanceOf(TaskFencedError)
    expect(isAborted).toBe(true)
    expect(ended).toMatchObject({ done: 0, failed: 0, lost: 1 })
    expect((await ledger()).map((row) => [row.state, row.worker === 'another'])).toEqual([
      ['lost', false],
      ['done', true],
    ])
    expect((await ledger())[0].error).toMatch(/did not say that it was there until 20/)
  })
})

it('gives the interval back that it was stopped in, which counts for nothing', async () => {
  await downFor(five)
  const stop = new AbortController()
  const ended = await run(
    {
      attempts: 1,
      run: async (_, { signal }) => {
        stop.abort()
        signal.throwIfAborted()
        return undefined
      },
    },
    { signal: stop.signal },
  )
  expect(ended).toEqual({ done: 0, failed: 0, lost: 0, givenUp: 0 })
  expect((await ledger()).map((row) => [row.state, row.cause, row.error])).toEqual([
    ['lost', 'schedule', 'its worker was stopped'],
    ['waiting', 'schedule', null],
  ])
  expect((await run({ attempts: 1 })).done).toBe(1)
})

it('fails an attempt that takes too long, tells it, and refuses what it settles later', async () => {
  await downFor(five)
  const told: string[] = []
  const late = Promise.withResolvers<void>()
  const end = await run({
    attempts: 2,
    timeout: 1_000,
    run: async (_, { attempt, signal, pool, settle }) => {
      if (attempt === 2) {
        await late.promise
        return {}
      }
      signal.addEventListener('abort', () => told.push(String(signal.reason)))
      await until(async () => (await ledger())[0].state === 'failed', 'the failure')
      const client = await pool.connect()
      await settle(client).catch((error) => told.push(error.constructor.name))
      client.release()
      late.resolve()
      return {}
    },
  })
  expect(end).toMatchObject({ done: 1, failed: 1 })
  expect(told).toEqual([expect.stringContaining('took longer than the 1000 ms'), 'TaskFencedError'])
  expect((await ledger()).map(({ state }) => state)).toEqual(['failed', 'done'])
})

it('plans by the clock of the database and its own that nobody sets, not by that of the machine', async () => {
  const now = Date.now
  await downFor(five)
  // An hour behind: by that clock nothing would come due for an hour.
  Date.now = () => now() - 60 * minute
  try {
    const stop = new AbortController()
    const working = run({ every: '1s' }, { untilDone: false, signal: stop.signal })
    const done = async () =>
      (await db.pool.query(`SELECT FROM batch_run WHERE state = 'done' AND cause = 'schedule'`)).rowCount ?? 0
    await until(async () => (await done()) > 0, 'the first interval')
    const before = await done()
    // The alarm is lost with whoever took it.
    await db.pool.query(`DELETE FROM ${alarmSchema(db.schema)}.job`)
    await until(async () => (await done()) > before + 1, 'further intervals')
    stop.abort()
    await working
  } finally {
    Date.now = now
  }
})

it('gives the alarm the rows of every statement of a text', async () => {
  const { rows } = await databaseOf(db.pool).executeSql('SELECT 1 AS one; BEGIN; SELECT 2 AS two; COMMIT')
  expect(rows).toEqual([{ one: 1 }, { two: 2 }])
  expect((await databaseOf(db.pool).executeSql('SELECT $1::int AS n', [3])).rows).toEqual([{ n: 3 }])
})

it('rings once after an hour, and twelve intervals are in the ledger', { timeout: 120_000 }, async () => {
  const boss = alarmSchema(db.schema)
  const first = new AbortController()
  const stay = { untilDone: false, lookEvery: '1d' } as const
  const staying = run({}, { ...stay, signal: first.signal })
  await until(async () => {
    const { rows } = await db.pool.query(`SELECT to_regclass($1) AS found`, [`${boss}.job`])
    if (rows[0].found === null) return false
    return (await db.pool.query(`SELECT FROM ${boss}.job WHERE name = 'job'`)).rowCount === 1
  }, 'the first alarm')
  first.abort()
  await staying
  // An hour goes by.
  await db.pool.query(`UPDATE ${boss}.job SET start_after = start_after - interval '1 hour'`)
  await db.pool.query(`UPDATE batch_schedule SET next_from = next_from - interval '1 hour'`)
  const second = new AbortController()
  let ran = 0
  const again = run({ run: async () => ({ ran: ++ran }) }, { ...stay, signal: second.signal })
  await until(() => ran >= 12, 'twelve intervals')
  await until(
    async () => (await db.pool.query(`SELECT FROM ${boss}.job WHERE state = 'completed'`)).rowCount === 1,
    'the alarm',
  )
  second.abort()
  const ended = await again
  expect(ended.done).toBeLessThanOrEqual(13)
  const alarms = await db.pool.query(
    `SELECT state::text, count(*)::int AS count FROM ${boss}.job WHERE name = 'job' GROUP BY 1 ORDER BY 1`,
  )
  expect(alarms.rows).toEqual([
    { state: 'completed', count: 1 },
    { state: 'created', count: 1 },
  ])
  const rows = await ledger()
  expect(rows.length).toBe(ended.done)
  expect(rows.every((row) => row.state === 'done')).toBe(true)
})

it('is woken by the alarm when an interval comes due', { timeout: 60_000 }, async () => {
  const stop = new AbortController()
  const seen: number[] = []
  const running = runSchedule(
    defineJob({ name: 'often', every: '1s', run: async (interval) => ({ seen: seen.push(interval.to) }) }),
    { database: db.connection, schema: db.schema, lookEvery: '1d', signal: stop.signal },
  )
  await until(() => seen.length >= 4, 'four intervals')
  stop.abort()
  await running
  expect(seen).toEqual(seen.map((_, i) => seen[0]! + i * 1_000))
})

it('lets two processes that are killed again and again do each interval once', { timeout: 240_000 }, async () => {
  await downFor(4 * 60 * minute, 'counting')
  const worker = new URL('../support/workers/scheduleWorker.ts', import.meta.url)
  const args: ScheduleWorkerArguments = {
    connection: db.connection,
    schema: db.schema,
    runMs: 60,
    untilDone: true,
    parallel: 2,
  }
  const start = () => runChild(worker, [JSON.stringify(args)])
  const children = [start(), start()]
  let kills = 0
  const doneCount = async () =>
    (await db.pool.query(`SELECT count(DISTINCT interval_from)::int AS count FROM batch_run WHERE state = 'done'`))
      .rows[0].count
  let seed = 7
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  while (kills < 12) {
    const i = kills % 2
    await children[i]!.firstLine()
    await sleep(300 + random() * 700)
    await children[i]!.kill()
    children[i] = start()
    kills += 1
  }
  await Promise.all(children.map((child) => child.finish()))
  const { rows } = await db.pool.query('SELECT at, count(*)::int AS count FROM counted GROUP BY at HAVING count(*) > 1')
  expect(rows).toEqual([])
  const all = await ledger()
  const intervals = new Set(all.map((row) => row.interval_from.getTime()))
  expect(intervals.size).toBeGreaterThanOrEqual(48)
  expect(await doneCount()).toBe(intervals.size)
  expect(all.filter((row) => row.state === 'done')).toHaveLength(intervals.size)
  expect((await db.pool.query('SELECT count(*)::int AS count FROM counted')).rows[0].count).toBe(intervals.size)
  expect(all.filter((row) => row.state === 'lost').length).toBeGreaterThan(0)
  expect(all.filter((row) => row.state === 'failed')).toEqual([])
})
