import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, describe, expect, test } from 'vitest'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'
import { candlesOf } from '../support/klines.ts'
import { startS3Server } from '../support/s3Server.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-backup-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const place = { cwd: folder, databases: await emptyDatabases() }
const minute = Date.UTC(2024, 7, 8, 12)

function frame(symbol: string, id: number, time: number): string {
  const data = {
    e: 'trade',
    E: time + 5,
    s: symbol,
    t: id,
    p: `${100 + (id % 7)}.5`,
    q: '0.25',
    T: time,
    m: id % 2 === 0,
    M: true,
  }
  return JSON.stringify({ stream: `${symbol.toLowerCase()}@trade`, data })
}

/** Seconds from `from` to before `to` of two symbols, a trade a second each. */
function tape(name: string, from: number, to: number): string {
  const lines = Array.from({ length: to - from }, (_, index) => from + index).flatMap((second) => [
    frame('AAAUSDT', second + 1, minute + second * 1_000),
    frame('BBBUSDT', second + 1, minute + second * 1_000 + 1),
  ])
  writeFileSync(join(folder, name), `${lines.join('\n')}\n`)
  return name
}

async function millrace(...args: readonly string[]) {
  const ended = await runCommand(args, place)
  expect(ended.code, `${args.join(' ')}\n${ended.stdout}${ended.stderr}`).toBe(0)
  return ended
}

const first = tape('first.jsonl', 0, 150)
const second = tape('second.jsonl', 150, 400)
const both = ['run', 'realtime', '--tape', first, second, '--until-end', '--close-open']
const candles = async (dir: string) => [
  await candlesOf(place, 'AAAUSDT', '--data-dir', dir),
  await candlesOf(place, 'BBBUSDT', '--data-dir', dir, '--interval', '5m'),
]

describe('a backup', { timeout: 240_000 }, () => {
  test('gives back what an undisturbed run would have come to, in another data folder', async () => {
    await millrace('run', 'realtime', '--tape', first, '--until-end', '--data-dir', 'one')
    const taken = await millrace('backup', '--place', 'backups', '--data-dir', 'one')
    expect(taken.stdout).toMatch(/Backup \d{8}T\d{9}Z in file:.*: \d+ tables, [\d,]+ rows, .* all read back/)
    await millrace(...both, '--data-dir', 'one')
    const undisturbed = await candles('one')
    expect(undisturbed[0]).toHaveLength(7)
    rmSync(join(folder, 'one'), { recursive: true })

    const restored = await millrace('restore', '--place', 'backups', '--data-dir', 'two')
    expect(restored.stdout).toMatch(/realtime +crypto\.trades\.tape\.\S+ +\d+ +embedded/)
    expect(readdirSync(join(folder, 'two', 'archive')).length).toBeGreaterThan(0)
    await millrace(...both, '--data-dir', 'two')
    expect(await candles('two')).toEqual(undisturbed)
    await millrace('verify', '--from', '2024-08-08T12:01', '--to', '2024-08-08T12:06', '--data-dir', 'two')
  })

  test('is refused where something is there already, and changes nothing there', async () => {
    const before = await candles('two')
    const refused = await runCommand(['restore', '--place', 'backups', '--data-dir', 'two'], place)
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('has tables already') })
    expect(await candles('two')).toEqual(before)
    const inside = await runCommand(['backup', '--place', 'two/backups', '--data-dir', 'two'], place)
    expect(inside).toMatchObject({ code: 2, stderr: expect.stringContaining('is in the data folder') })
  })

  test('that is damaged is found out, and leaves nothing behind where it was to be restored', async () => {
    expect((await millrace('backup', 'verify', '--place', 'backups')).stdout).toContain('all as they were written')
    const [id = ''] = readdirSync(join(folder, 'backups', 'backups'))
    const tables = join(folder, 'backups', 'backups', id, 'tables')
    const [piece = ''] = readdirSync(tables).slice(-1)
    const whole = readFileSync(join(tables, piece))
    writeFileSync(join(tables, piece), Buffer.concat([whole.subarray(0, -1), Buffer.from([whole.at(-1)! ^ 1])]))
    expect(await runCommand(['backup', 'verify', '--place', 'backups'], place)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('other bytes than were written'),
    })
    const restored = await runCommand(['restore', '--place', 'backups', '--data-dir', 'three'], place)
    expect(restored).toMatchObject({ code: 2, stderr: expect.stringContaining('other bytes than were written') })
    writeFileSync(join(tables, piece), whole)
    // All of it or nothing: the same folder takes the whole one.
    await millrace('restore', '--place', 'backups', '--data-dir', 'three')
    expect((await candles('three'))[0]?.length).toBeGreaterThan(1)
  })

  test('has the lake with it, which is restored to where its files say that they are', async () => {
    await millrace('run', 'realtime', '--tape', first, '--until-end', '--close-open', '--data-dir', 'lake-one')
    await millrace('run', 'batch', '--data-dir', 'lake-one')
    const tables = async () => JSON.parse((await millrace('lake', 'tables', '--json', '--data-dir', 'lake-one')).stdout)
    const before = await tables()
    expect(before.length).toBeGreaterThan(3)
    await millrace('backup', '--place', 'lake-backups', '--data-dir', 'lake-one')
    rmSync(join(folder, 'lake-one'), { recursive: true })
    const elsewhere = await runCommand(['restore', '--place', 'lake-backups', '--data-dir', 'lake-two'], place)
    expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringContaining('restore to where they were') })
    expect(existsSync(join(folder, 'lake-two', 'archive'))).toBe(false)
    await millrace('restore', '--place', 'lake-backups', '--data-dir', 'lake-one')
    expect(await tables()).toEqual(before)
    expect((await millrace('lake', 'sweep', '--data-dir', 'lake-one')).stdout).toBe('')
    expect((await millrace('run', 'batch', '--data-dir', 'lake-one')).stdout).toContain('Nothing has changed')
    // It goes on: a commit more, with the files that are there.
    await millrace(...both, '--data-dir', 'lake-one')
    await millrace('run', 'batch', '--data-dir', 'lake-one')
    expect((await tables())[0].snapshots).toBeGreaterThan(before[0].snapshots)
  })

  test('of a run that goes on is of one moment: what follows the last commit is in the log, and nothing is there twice', async () => {
    const run = startCommand(
      [
        'run',
        'realtime',
        '--source',
        'simulator',
        '--symbols',
        'AAAUSDT',
        '--data-dir',
        'live',
        '--no-tty',
        '--no-console',
      ],
      { ...place, env: { MILLRACE_SIMULATOR_RATE: '3000' } },
    )
    await run.seen(/First candle after/)
    await sleep(1_500)
    await millrace('backup', '--place', 'live-backups', '--data-dir', 'live')
    run.process.kill('SIGKILL')
    await run.ended
    await millrace('restore', '--place', 'live-backups', '--data-dir', 'back')
    await millrace('run', 'realtime', '--source', 'none', '--market', 'simulated', '--until-end', '--data-dir', 'back')
    const [counted] = await query<{ trades: number; last: number; first: number }>(
      'back',
      `SELECT sum(trade_count)::float8 AS trades, max(last_trade_id)::float8 AS last, min(first_trade_id)::float8 AS first FROM simulated.fact_realtime_trades_1m`,
    )
    expect(counted?.trades).toBeGreaterThan(1_000)
    expect(counted?.trades).toBe((counted?.last ?? 0) - (counted?.first ?? 0) + 1)
  })

  test('of a live feed gives back what an undisturbed run would have come to: what came after it is fetched from the exchange again', async () => {
    const begin = Math.floor(Date.now() / 60_000) * 60_000 - 600_000
    const exchange = await SimulatedExchange.start({ symbols: ['BTCUSDT'], startMs: begin })
    const live = {
      ...place,
      env: { MILLRACE_BINANCE_WS_URL: exchange.streamUrl, MILLRACE_BINANCE_REST_URL: exchange.restUrl },
    }
    const start = (dir: string) =>
      startCommand(
        [
          'run',
          'realtime',
          '--source',
          'binance',
          '--market',
          'simulated',
          '--symbols',
          'BTCUSDT',
          '--data-dir',
          dir,
          '--no-tty',
          '--no-console',
        ],
        live,
      )
    let at = begin
    const trade = (count: number) => {
      for (let step = 0; step < count; step++, at += 4_000) exchange.trade('BTCUSDT', { time: at })
    }
    const counts = async (dir: string) =>
      query<{ opened: number; trades: number }>(
        dir,
        `SELECT (extract(epoch FROM open_time) * 1000)::float8 AS opened, trade_count::float8 AS trades FROM simulated.fact_realtime_trades_1m ORDER BY 1`,
      )
    const wanted = () =>
      exchange
        .klines('BTCUSDT', '1m')
        .map(({ openTime, tradeCount }) => ({ opened: openTime, trades: Number(tradeCount) }))
    try {
      const before = start('market')
      await exchange.untilSubscribed('BTCUSDT')
      trade(40)
      await expect.poll(() => counts('market'), { timeout: 30_000 }).toEqual(wanted())
      await millrace('backup', '--place', 'market-backups', '--data-dir', 'market')
      trade(30)
      await expect.poll(() => counts('market'), { timeout: 30_000 }).toEqual(wanted())
      before.process.kill('SIGKILL')
      await before.ended
      rmSync(join(folder, 'market'), { recursive: true })
      trade(10)
      await millrace('restore', '--place', 'market-backups', '--data-dir', 'market')
      const after = start('market')
      await after.seen(/records · /)
      trade(20)
      await expect.poll(() => counts('market'), { timeout: 60_000 }).toEqual(wanted())
      after.process.kill('SIGTERM')
      expect((await after.ended).code).toBe(0)
    } finally {
      await exchange.close()
    }
  })

  test('that is killed leaves the one before as it was; a bucket takes both', async () => {
    const server = await startS3Server({ buckets: ['keep'] })
    const env = {
      MILLRACE_BACKUP: 's3://keep/millrace',
      AWS_ENDPOINT_URL_S3: server.endpoint,
      AWS_REGION: server.region,
      AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    }
    const there = { ...place, env }
    try {
      expect(await runCommand(['backup', '--data-dir', 'two'], there)).toMatchObject({ code: 0 })
      const puts = server.counts.get('PutObject') ?? 0
      server.faults.delayNext(1_000, 300, { operation: 'PutObject' })
      const killed = startCommand(['backup', '--data-dir', 'two'], there)
      while ((server.counts.get('PutObject') ?? 0) < puts + 3) await sleep(20)
      killed.process.kill('SIGKILL')
      await killed.ended
      server.faults.clear()
      const listed = JSON.parse((await runCommand(['backup', 'list', '--json'], there)).stdout)
      expect(listed).toMatchObject({ backups: [{ schemas: ['public'] }], unfinished: [expect.any(String)] })
      expect(await runCommand(['restore', '--data-dir', 'from-bucket'], there)).toMatchObject({ code: 0 })
      expect(await candles('from-bucket')).toEqual(await candles('two'))
      // The next one is not in the way of the killed one, and keeps as many as it is told.
      expect(await runCommand(['backup', '--keep', '1', '--data-dir', 'two'], there)).toMatchObject({ code: 0 })
      expect(await runCommand(['backup', 'verify'], there)).toMatchObject({ code: 0 })
      expect(JSON.parse((await runCommand(['backup', 'list', '--json'], there)).stdout).backups).toHaveLength(1)
    } finally {
      await server.close()
    }
  })

  test('brings back an archive that went on after it only where that is moved out of the way', async () => {
    await millrace('restore', '--place', 'backups', '--data-dir', 'again')
    await millrace(...both, '--data-dir', 'again')
    rmSync(join(folder, 'again', 'postgres'), { recursive: true })
    const refused = await runCommand(['restore', '--place', 'backups', '--data-dir', 'again'], place)
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/are of the time after the backup.*--set-aside/s),
    })
    await millrace('restore', '--place', 'backups', '--data-dir', 'again', '--set-aside')
    expect(readdirSync(join(folder, 'again', 'archive')).filter((name) => name.startsWith('after-'))).toHaveLength(1)
    await millrace(...both, '--data-dir', 'again')
    expect(await candles('again')).toEqual(await candles('two'))
  })
})

async function query<T extends object>(dir: string, sql: string): Promise<readonly T[]> {
  const server = await startOrJoin(join(folder, dir))
  const client = new pg.Client({ ...server.connection })
  await client.connect()
  try {
    return (await client.query<T>(sql)).rows
  } finally {
    await client.end()
    await server.stop()
  }
}
