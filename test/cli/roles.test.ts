import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { runCommand, startCommand } from '../support/commandLine.ts'
import { type OwnServer, serverPrograms, serverTitle, startOwnServer } from '../support/ownServer.ts'

describe.skipIf(serverPrograms === null)(serverTitle('roles with few rights'), { timeout: 120_000 }, () => {
  let server: OwnServer
  let folder: string
  beforeAll(async () => {
    server = await startOwnServer()
    folder = mkdtempSync(join(tmpdir(), 'millrace-roles-'))
    chmodSync(folder, 0o755)
    await admin(
      'REVOKE ALL ON DATABASE postgres FROM PUBLIC',
      'REVOKE ALL ON SCHEMA public FROM PUBLIC',
      ...['tenant', 'owner', 'worker'].flatMap((role) => [
        `CREATE ROLE ${role} LOGIN PASSWORD '${role}'`,
        `GRANT CONNECT ON DATABASE postgres TO ${role}`,
      ]),
    )
  }, 60_000)
  afterAll(async () => {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const admin = async (...statements: readonly string[]) => {
    const client = new pg.Client(server.connection)
    await client.connect()
    for (const statement of statements) await client.query(statement)
    await client.end()
  }
  const placeOf = (role: string) => ({
    cwd: folder,
    env: {
      MILLRACE_DATA_DIR: join(folder, role),
      MILLRACE_TTY: 'false',
      DATABASE_URL: `postgres://${role}:${role}@127.0.0.1:${server.connection.port}/postgres`,
    },
  })
  const simulate = async (role: string, schema: string) => {
    const run = startCommand(['run', 'realtime', '--source', 'simulator', '--schema', schema], placeOf(role))
    onTestFinished(() => void run.process.kill('SIGKILL'))
    await run.seen(/^First candle after/m)
    run.process.kill('SIGTERM')
    expect(await run.ended).toMatchObject({ code: 0 })
  }

  test('a role that owns its schemas and nothing else can run, and is told what is missing where it cannot', async () => {
    const refused = await runCommand(['migrate', '--schema', 'prices'], placeOf('tenant'))
    expect(refused).toMatchObject({ code: 2 })
    expect(refused.stderr).toMatch(
      /schema prices is not there, and this role may not make it.*CREATE SCHEMA "prices" AUTHORIZATION/,
    )
    await admin('CREATE SCHEMA prices AUTHORIZATION tenant', 'CREATE SCHEMA prices_simulated AUTHORIZATION tenant')
    await simulate('tenant', 'prices')
    expect(await runCommand(['migrate', '--schema', 'prices'], placeOf('tenant'))).toMatchObject({ code: 0 })
    const candles = await runCommand(['candles', '--symbol', 'BTCUSDT', '--schema', 'prices'], placeOf('tenant'))
    expect(candles.stdout).toMatch(/simulated|SIMULATED|\d/)
    expect(candles).toMatchObject({ code: 0 })
    const doctor = await runCommand(['doctor'], placeOf('tenant'))
    expect(doctor.stdout).toContain('schemas prices, prices_simulated')
  })

  test('a role that may only read and write works on what another has migrated', async () => {
    await admin(
      'CREATE SCHEMA shared AUTHORIZATION owner',
      'CREATE SCHEMA shared_simulated AUTHORIZATION owner',
      'GRANT USAGE ON SCHEMA shared_simulated TO worker',
      'ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO worker',
      'ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT USAGE ON SEQUENCES TO worker',
    )
    expect(await runCommand(['migrate', '--schema', 'shared_simulated'], placeOf('owner'))).toMatchObject({ code: 0 })
    await simulate('worker', 'shared')
    const client = new pg.Client({ ...server.connection, user: 'worker', password: 'worker' })
    await client.connect()
    onTestFinished(() => client.end())
    await expect(client.query('DROP TABLE shared_simulated.stream_task')).rejects.toThrow(/must be owner/)
    const { rows } = await client.query('SELECT count(*)::int AS candles FROM shared_simulated.fact_realtime_trades_1m')
    expect(rows[0].candles).toBeGreaterThan(0)
  })
})
