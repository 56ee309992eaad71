import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RunningConsole } from '../../src/web/consoleServer.ts'
import type { PageFile } from '../../src/web/pageFiles.ts'
import type { RedriveWish } from '../../src/web/route.ts'
import { routeTable } from '../../src/web/routes.ts'
import { commitCandles } from '../support/candleRows.ts'
import { consoleOn, isPart, isSeries, listenTo, type SeriesMessage } from '../support/consoleOn.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

const minute = 60_000
const start = Date.UTC(2026, 0, 1)
const token = 'a-token-that-nobody-guesses-0123456789'

const page: PageFile = {
  type: 'text/html; charset=utf-8',
  bytes: Buffer.from('<!doctype html>'),
  zipped: Buffer.from(''),
  etag: '"1"',
  isForEver: false,
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** Not by `fetch`, which lets nobody choose Host and Origin. */
function ask(url: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const sent = request(url, { method: options.method ?? 'GET', headers: options.headers ?? {} }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    sent.on('error', reject)
    sent.end(options.body)
  })
}

let db: TestDatabase
let running: RunningConsole | null = null
const open = async (options: Parameters<typeof consoleOn>[2] = {}) => {
  running = await consoleOn(db.connection, db.schema, { pages: new Map([['', page]]), ...options })
  return running
}

beforeAll(async () => {
  db = await testDatabase()
}, 120_000)
afterEach(async () => {
  await running?.close()
  running = null
  await db.pool.query('TRUNCATE fact_realtime_trades_1m, stream_task, dead_letter, feed_gap, run_report')
})
afterAll(() => db?.close())

describe('who is answered', () => {
  it('a page of another site is not, whether it comes under a name of its own or as itself', async () => {
    const { url, port } = await open()
    expect((await ask(`${url}api/overview`)).status).toBe(200)
    expect((await ask(`${url}api/overview`, { headers: { host: 'evil.example' } })).status).toBe(403)
    expect((await ask(url, { headers: { host: `evil.example:${port}` } })).status).toBe(403)
    expect((await ask(`${url}api/overview`, { headers: { origin: 'http://evil.example' } })).status).toBe(403)
    expect((await ask(`${url}api/overview`, { headers: { origin: 'null' } })).status).toBe(403)
    const own = { host: `localhost:${port}`, origin: `http://localhost:${port}` }
    expect((await ask(`${url}api/overview`, { headers: own })).status).toBe(200)
  })

  it('the socket is opened by the same rule', async () => {
    const console = await open()
    await expect(listenTo(console, { origin: 'http://evil.example' })).rejects.toThrow('403')
    await expect(listenTo(console, { host: 'evil.example' })).rejects.toThrow('403')
    const ear = await listenTo(console, { origin: console.url.slice(0, -1) })
    expect(await ear.until((message) => message.kind === 'hello')).toMatchObject({ version: '0.0.0-test' })
    ear.socket.terminate()
  })

  it('elsewhere than on loopback nobody is without a token, and a short one is refused', async () => {
    await expect(open({ host: '0.0.0.0' })).rejects.toThrow('give it a token of 32 characters')
    await expect(open({ token: 'short' })).rejects.toThrow('has 5 characters: give it 32 or more')
  })

  it('with a token, whoever has given it: a page by a cookie that scripts cannot read, a program by a header', async () => {
    const console = await open({ token })
    const { url } = console
    expect((await ask(`${url}api/overview`)).status).toBe(401)
    await expect(listenTo(console)).rejects.toThrow('401')
    // The page itself holds nothing, and asks for the token.
    expect((await ask(url)).headers['set-cookie']).toBeUndefined()
    const json = { 'content-type': 'application/json' }
    const wrong = await ask(`${url}api/session`, { method: 'POST', headers: json, body: '{"token":"wrong"}' })
    expect(wrong.status).toBe(403)
    const right = await ask(`${url}api/session`, { method: 'POST', headers: json, body: JSON.stringify({ token }) })
    expect(right.status).toBe(204)
    const [cookie = ''] = right.headers['set-cookie'] as string[]
    expect(cookie).toMatch(/^millrace_console_\d+=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict$/)
    expect(cookie).not.toContain(token)
    const headers = { cookie: cookie.split(';')[0] as string }
    expect((await ask(`${url}api/overview`, { headers })).status).toBe(200)
    ;(await listenTo(console, headers)).socket.terminate()
    expect((await ask(`${url}api/overview`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
  })

  it('what changes something wants the cookie, the origin and a header of its own', async () => {
    const wishes: RedriveWish[] = []
    const { url } = await open({
      redrive: async (_schema, wish) => {
        wishes.push(wish)
        return { redriven: 1, recovered: 0, skipped: [] }
      },
    })
    const [cookie = ''] = (await ask(url)).headers['set-cookie'] as string[]
    const whole: Record<string, string> = {
      'content-type': 'application/json',
      cookie: cookie.split(';')[0] as string,
      origin: url.slice(0, -1),
      'x-millrace-console': '1',
    }
    const body = JSON.stringify({ schema: db.schema, ids: ['realtime/trades/0/1/decode/0'] })
    const redrive = (headers: Record<string, string>) =>
      ask(`${url}api/dead-letters/redrive`, { method: 'POST', headers, body })
    for (const lacking of ['cookie', 'origin', 'x-millrace-console']) {
      const { [lacking]: _left, ...rest } = whole
      expect((await redrive(rest)).status, lacking).toBe(403)
    }
    expect(wishes).toEqual([])
    expect(await redrive(whole)).toMatchObject({ status: 200 })
    expect(wishes).toEqual([{ ids: ['realtime/trades/0/1/decode/0'] }])
    // A form of another site can send neither JSON nor the header.
    expect((await redrive({ ...whole, 'content-type': 'text/plain' })).status).toBe(400)
  })

  it('every answer forbids scripts of others', async () => {
    const { url } = await open()
    for (const path of ['', 'api/overview', 'nowhere']) {
      const { headers } = await ask(`${url}${path}`)
      const policy = headers['content-security-policy']
      expect(policy, path).toContain("default-src 'none'; script-src 'self'")
      expect(policy, path).toContain("require-trusted-types-for 'script'")
      expect(policy, path).not.toContain('unsafe')
      expect(headers['x-content-type-options'], path).toBe('nosniff')
    }
  })
})

describe('what is asked for', () => {
  it('is checked by the table that is the OpenAPI, too', async () => {
    const { url } = await open()
    const described = JSON.parse((await ask(`${url}api/openapi.json`)).text) as { paths: Record<string, object> }
    expect(Object.keys(described.paths)).toEqual(routeTable.map(({ path }) => `/${path}`))
    const bad = await ask(`${url}api/candles?dataSet=x&market=spot&symbol=A&interval=2m`)
    expect(bad).toMatchObject({ status: 400, text: expect.stringContaining('interval') })
    expect((await ask(`${url}api/symbols?schema=${db.schema}&other=1`)).status).toBe(400)
    expect((await ask(`${url}api/symbols?schema=nowhere`)).status).toBe(404)
    expect((await ask(`${url}api/overview`, { method: 'POST' })).status).toBe(405)
  })

  it('every answer is as the table says', async () => {
    await commitCandles(db.pool, [{ symbol: 'BTCUSDT', openTime: start, close: '5' }])
    await letter('reason', Buffer.from('payload'))
    await db.pool.query('INSERT INTO run_report (pipeline, process, graph, report) VALUES ($1, $2, $3, $4)', [
      'p',
      'h:1',
      'no json',
      'no json',
    ])
    const { url } = await open()
    const schema = `schema=${db.schema}`
    const queries: Readonly<Record<string, string>> = {
      'api/overview': '',
      'api/pipelines': '',
      'api/symbols': schema,
      'api/candles': `dataSet=${db.schema}&market=spot&symbol=BTCUSDT&interval=1m&indicators=sma:1,macd:2:3:1`,
      'api/dead-letters': schema,
      'api/dead-letters/rows': schema,
      'api/dead-letters/letter': `${schema}&id=p/t/0/1/decode/0`,
      'api/dead-letters/bytes': `${schema}&id=p/t/0/1/decode/0&from=0`,
      'api/data': schema,
      'api/alerts': schema,
    }
    for (const route of routeTable.filter(({ method }) => method === 'GET')) {
      const { status, text } = await ask(`${url}${route.path}?${queries[route.path]}`)
      expect(status, `${route.path}: ${text}`).toBe(200)
      expect(route.answer.safeParse(JSON.parse(text)).error, route.path).toBeUndefined()
    }
  })

  it('candles are exact text, as CSV too, and only so many as were asked for', async () => {
    const rows = Array.from({ length: 30 }, (_, i) => ({
      symbol: 'BTCUSDT',
      openTime: start + i * minute,
      close: `${i}.00000001`,
    }))
    await commitCandles(db.pool, rows)
    const { url } = await open()
    const base = `${url}api/candles?dataSet=${db.schema}&market=spot&symbol=BTCUSDT&interval=1m`
    const { candles } = JSON.parse((await ask(`${base}&limit=3`)).text)
    expect(candles.map((one: unknown[]) => one[4])).toEqual(['27.00000001', '28.00000001', '29.00000001'])
    const csv = await ask(`${base}&limit=2&format=csv`)
    expect(csv.headers['content-disposition']).toContain('BTCUSDT-1m.csv')
    expect(csv.text.split('\n')[1]).toMatch(/^2026-01-01T00:28:00.000Z,28.00000001,/)
    const indicators = JSON.parse((await ask(`${base}&limit=2&indicators=sma:20`)).text).indicators
    // The mean of the twenty closes before, though two candles are shown.
    expect(indicators[0].values).toEqual([
      [start + 28 * minute, 1, 18.50000001],
      [start + 29 * minute, 1, 19.50000001],
    ])
  })

  it('a dead letter of 10 MB costs what is shown of it', async () => {
    await letter('huge', Buffer.alloc(10_000_000, 'ä'))
    const { url } = await open()
    const id = encodeURIComponent('p/t/0/1/decode/0')
    await ask(`${url}api/dead-letters/letter?schema=${db.schema}&id=${id}`)
    const begun = performance.now()
    const shown = await ask(`${url}api/dead-letters/letter?schema=${db.schema}&id=${id}`)
    const tookMs = performance.now() - begun
    const { payload } = JSON.parse(shown.text)
    expect(payload).toMatchObject({ total: 10_000_000, from: 0, text: 'ä'.repeat(2048) })
    expect(shown.text.length).toBeLessThan(30_000)
    // 200 ms on a machine of its own; this one may be shared.
    expect(tookMs).toBeLessThan(2_000)
    const more = JSON.parse(
      (await ask(`${url}api/dead-letters/bytes?schema=${db.schema}&id=${id}&from=9999990&count=4096`)).text,
    )
    expect(more).toMatchObject({ total: 10_000_000, from: 9_999_990, text: 'ä'.repeat(5) })
    const list = await ask(`${url}api/dead-letters/rows?schema=${db.schema}`)
    expect(list.text.length).toBeLessThan(1_000)
  })
})

describe('what is pushed', () => {
  const series = (indicators: readonly string[] = []) => [
    {
      id: 3,
      dataSet: db.schema,
      market: 'spot',
      symbol: 'BTCUSDT',
      interval: '1m' as const,
      indicators: [...indicators],
    },
  ]

  it('is the whole series at first, then what a commit has changed', async () => {
    await commitCandles(db.pool, [{ symbol: 'BTCUSDT', openTime: start, close: '5' }])
    const ear = await listenTo(await open())
    ear.watch({ series: series(['sma:1']) })
    const whole = await ear.until(isSeries)
    expect(whole).toMatchObject({ id: 3, isWhole: true, indicators: [{ values: [[start, 1, 5]] }] })
    await commitCandles(db.pool, [{ symbol: 'BTCUSDT', openTime: start + minute, close: '7', isClosed: false }])
    const next = await ear.until(isPart)
    expect(next).toMatchObject({
      candles: [[start + minute, '7', '7', '7', '7', '1', 10, 0, 1]],
      indicators: [{ indicator: 'sma:1', values: [[start + minute, 1, 7]] }],
      gaps: null,
    })
    ear.socket.terminate()
  })

  it('a correction of long ago comes too, with the indicators that it changes', async () => {
    const rows = Array.from({ length: 600 }, (_, i) => ({
      symbol: 'BTCUSDT',
      openTime: start + i * minute,
      close: '5',
    }))
    await commitCandles(db.pool, rows)
    const ear = await listenTo(await open())
    ear.watch({ series: series(['sma:2']) })
    await ear.until(isSeries)
    await commitCandles(db.pool, [{ symbol: 'BTCUSDT', openTime: start + 300 * minute, close: '9', revision: 2 }])
    const corrected = await ear.until(isPart)
    expect(corrected.candles).toEqual([[start + 300 * minute, '5', '9', '9', '9', '1', 10, 1, 2]])
    const values = new Map(corrected.indicators[0]?.values.map(([time, , value]) => [time, value]))
    expect([299, 300, 301, 302].map((i) => values.get(start + i * minute))).toEqual([5, 7, 7, 5])
    ear.socket.terminate()
  })

  it('a gap of the feed is told, and what looks back on it is not whole', async () => {
    await commitCandles(db.pool, [
      { symbol: 'BTCUSDT', openTime: start, close: '5' },
      { symbol: 'BTCUSDT', openTime: start + minute, close: '5' },
    ])
    await db.pool.query(
      `INSERT INTO feed_gap (market, symbol, epoch, first_id, last_id, from_time, to_time, state, missing, reason, seen_at, revision)
       VALUES ('spot', 'BTCUSDT', 0, 1, 3, to_timestamp($1::float8 / 1000), to_timestamp($1::float8 / 1000), 'open', 3, 'test', now(), 1)`,
      [start + 1_000],
    )
    const ear = await listenTo(await open())
    ear.watch({ series: series(['sma:2']) })
    expect(await ear.until(isSeries)).toMatchObject({
      gaps: [{ from: start + 1_000, to: start + 1_000, state: 'open', missing: 3 }],
      indicators: [{ values: [[start + minute, 0, 5]] }],
    })
    ear.socket.terminate()
  })

  it('a client that stops reading costs bounded memory, and gets the whole once it reads again', async () => {
    const rows = Array.from({ length: 1_000 }, (_, i) => ({
      symbol: 'BTCUSDT',
      openTime: start + i * minute,
      close: '5',
    }))
    await commitCandles(db.pool, rows)
    const console = await open()
    const ear = await listenTo(console)
    ear.watch({ series: series(), pipelines: true })
    await ear.until(isSeries)
    ear.socket.pause()
    let most = 0
    let last = ''
    // Each time other series, so that each is told whole: 90 kB, eight times. The sockets of the system hold some MB of it, so it goes on until that is full, and then on.
    for (let round = 0, full = 0; full < 10 && round < 300; round += 1) {
      const periods = [1, 2, 3, 4, 5, 6, 7, 8].map((id) => ({ id, indicator: `sma:${((round * 8 + id) % 900) + 1}` }))
      last = periods.at(-1)?.indicator ?? ''
      ear.watch({ series: periods.flatMap(({ id, indicator }) => series([indicator]).map((one) => ({ ...one, id }))) })
      await sleep(200)
      most = Math.max(most, console.mostUnreadBytes())
      if (most > 500_000) full += 1
    }
    expect(most).toBeGreaterThan(500_000)
    expect(most).toBeLessThan(1_500_000)
    const before = ear.heard.length
    await commitCandles(db.pool, [{ symbol: 'BTCUSDT', openTime: start + 1_000 * minute, close: '6' }])
    ear.socket.resume()
    const newest = await ear.until(
      (message): message is SeriesMessage =>
        isSeries(message) && message.indicators[0]?.indicator === last && message.isWhole,
      20_000,
    )
    expect(newest.candles.at(-1)?.[4]).toBe('6')
    expect(ear.heard.length).toBeGreaterThan(before)
    ear.socket.terminate()
  }, 120_000)

  it('nothing is read while nobody watches', async () => {
    const console = await open()
    const ear = await listenTo(console)
    await ear.until((message) => message.kind === 'tick' && message.dataSets.length > 0)
    ear.socket.terminate()
    await expect.poll(() => console.clients()).toBe(0)
    await sleep(200)
    const counted = `SELECT coalesce(sum(xact_commit), 0)::float8 AS count FROM pg_stat_activity AS a, pg_stat_database AS d
      WHERE a.application_name = 'millrace web console' AND a.state <> 'idle' AND a.datid = d.datid`
    const { rows } = await db.pool.query<{ count: number }>(counted)
    expect(rows[0]?.count).toBe(0)
  })

  it('a page that asks for what there is not is told so, and others go on', async () => {
    const ear = await listenTo(await open())
    ear.socket.send('no json')
    expect(await ear.until((message) => message.kind === 'refused')).toMatchObject({
      why: expect.stringContaining('load it again'),
    })
    ear.heard.length = 0
    ear.watch({ series: series(['macd:26:12:9']) })
    expect(await ear.until((message) => message.kind === 'refused')).toMatchObject({
      why: expect.stringContaining('the slow period must be more than the fast one'),
    })
    ear.socket.terminate()
  })
})

async function letter(reason: string, payload: Buffer): Promise<void> {
  await db.pool.query(
    `INSERT INTO dead_letter (pipeline, topic, partition, "offset", operator, ordinal, reason, detail, payload)
     VALUES ('p', 't', 0, 1, 'decode', 0, $1, 'a detail', $2)`,
    [reason, payload],
  )
}
