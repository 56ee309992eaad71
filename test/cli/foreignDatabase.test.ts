import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { type OwnDatabase, ownDatabase } from '../support/ownDatabase.ts'
import { bouncerProgram, bouncerTitle, startBouncer } from '../support/pgbouncer.ts'
import { asSuperuser } from '../support/postgres.ts'

/** A trade every ten seconds of two minutes. */
function framesOf(symbol: string): string {
  return Array.from({ length: 12 }, (_, index) => {
    const time = 1_723_075_200_000 + index * 10_000
    const trade = {
      e: 'trade',
      E: time,
      s: symbol,
      t: index + 1,
      p: '10.00000000',
      q: '1.00000000',
      T: time,
      m: false,
      M: true,
    }
    return `${JSON.stringify({ stream: `${symbol.toLowerCase()}@trade`, data: trade })}\n`
  }).join('')
}

describe('a database of somebody else', { timeout: 120_000 }, () => {
  let database: OwnDatabase
  let folder: string
  beforeAll(async () => {
    database = await ownDatabase()
    folder = mkdtempSync(join(tmpdir(), 'millrace-foreign-'))
  }, 60_000)
  afterAll(async () => {
    await database.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const placeOf = (name: string, url: string, env: Readonly<Record<string, string>> = {}) => ({
    cwd: folder,
    env: { MILLRACE_DATA_DIR: join(folder, name), MILLRACE_TTY: 'false', DATABASE_URL: url, ...env },
  })
  const simulate = async (place: ReturnType<typeof placeOf>) => {
    const run = startCommand(['run', 'realtime', '--source', 'simulator'], place)
    onTestFinished(() => void run.process.kill('SIGKILL'))
    await run.seen(/^First candle after/m)
    run.process.kill('SIGTERM')
    expect(await run.ended).toMatchObject({ code: 0 })
  }
  const simulatedIn = async (schema: string) => {
    const pool = openPool(database.connection, { schema })
    try {
      const { rows } = await pool.query(
        `SELECT count(*)::int AS candles, coalesce(bool_and(market = 'simulated'), false) AS invented FROM fact_realtime_trades_1m`,
      )
      return rows[0]
    } finally {
      await pool.end()
    }
  }

  test('invented prices reach no table of real ones, whatever the address and the environment say of the schema', async () => {
    expect(await runCommand(['migrate'], placeOf('migrate', database.url))).toMatchObject({ code: 0 })
    await simulate(placeOf('options', `${database.url}?options=-c%20search_path%3Dpublic`))
    await simulate(placeOf('environment', database.url, { PGOPTIONS: '-c search_path=public' }))
    expect(await simulatedIn('public')).toEqual({ candles: 0, invented: false })
    expect(await simulatedIn('simulated')).toEqual({ candles: expect.any(Number), invented: true })
  })

  test.skipIf(bouncerProgram === null)(
    bouncerTitle('behind PgBouncer invented prices go where they belong, or nowhere'),
    async () => {
      const transaction = await startBouncer(database.connection, [
        'pool_mode = transaction',
        'ignore_startup_parameters = options',
      ])
      onTestFinished(() => transaction.stop())
      for (const args of [
        ['run', 'realtime', '--source', 'simulator'],
        ['ingest', '--source', 'simulator'],
        ['migrate'],
        ['status'],
      ]) {
        const ended = await runCommand(args, placeOf('transaction', transaction.url()))
        expect(ended.stdout + ended.stderr, args.join(' ')).toMatch(
          /pooler in transaction or statement mode.*pool_mode = session/,
        )
        if (args[0] !== 'status') expect(ended, args.join(' ')).toMatchObject({ code: 2 })
      }
      const doctor = await runCommand(['doctor'], placeOf('transaction', transaction.url()))
      expect(doctor.stdout).toMatch(/fail +database +.*pool_mode = session/)
      const session = await startBouncer(database.connection, ['pool_mode = session'])
      onTestFinished(() => session.stop())
      await simulate(placeOf('session', session.url()))
      expect(await simulatedIn('public')).toMatchObject({ candles: 0 })
    },
  )

  test('one that is not UTF8 is refused at the start and by doctor, with how to make one that is', async () => {
    const name = `latin1_${process.pid}`
    await asSuperuser(
      database.superuser,
      `CREATE DATABASE ${name} OWNER millrace ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`,
    )
    onTestFinished(() => asSuperuser(database.superuser, `DROP DATABASE ${name} WITH (FORCE)`))
    const tape = join(folder, 'tape.jsonl')
    writeFileSync(tape, framesOf('BTCUSDT') + framesOf('币安人生USDT'))
    const place = placeOf('latin1', database.url.replace(/\/[^/]+$/, `/${name}`))
    const run = await runCommand(['run', 'realtime', '--tape', tape, '--until-end', '--close-open'], place)
    expect(run).toMatchObject({ code: 2 })
    expect(run.stderr).toContain(`database ${name} is encoded in LATIN1`)
    expect(run.stderr).toContain(`ENCODING 'UTF8' TEMPLATE template0`)
    const doctor = await runCommand(['doctor'], place)
    expect(doctor.code).toBe(1)
    expect(doctor.stdout).toMatch(/fail +database +database latin1_\d+ is encoded in LATIN1/)
    const good = await runCommand(
      ['run', 'realtime', '--tape', tape, '--until-end', '--close-open'],
      placeOf('utf8', database.url),
    )
    expect(good, good.stderr).toMatchObject({ code: 0 })
  })

  test('PGHOST alone leads nowhere else, and that is said', async () => {
    const ended = await runCommand(['status'], {
      cwd: folder,
      env: { MILLRACE_DATA_DIR: join(folder, 'none'), PGHOST: 'db.example' },
    })
    expect(ended.stderr).toMatch(
      /PGHOST is ignored while DATABASE_URL is not set.*DATABASE_URL=postgres:\/\/\/DATABASE/,
    )
  })
})
