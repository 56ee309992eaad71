import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import type { PostgresConnection } from '../../src/sinks/postgres/connection.ts'
import { type Broker, freePorts, startBroker } from '../support/brokerProcess.ts'
import { type RunningCommand, runCommand } from '../support/commandLine.ts'
import { databaseUrl } from '../support/databaseUrl.ts'
import { canStartBroker, startTitle, uniqueName } from '../support/kafkaBroker.ts'
import { oddServer } from '../support/oddServer.ts'
import { startedCommands } from '../support/startedCommands.ts'

if (!canStartBroker) console.warn('SKIPPED: commands that are started before their broker: none can be started here')

let folder: string
let connection: PostgresConnection
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-early-'))
  // PostgreSQL under another account than root must reach it.
  chmodSync(folder, 0o755)
  // Started once for its port and password, which it keeps.
  const server = await startOrJoin(join(folder, 'server'))
  connection = server.connection
  await server.stop()
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const start = startedCommands()

const placeOf = (dataDir: string, env: Readonly<Record<string, string>> = {}) => ({
  cwd: folder,
  env: { MILLRACE_DATA_DIR: join(folder, dataDir), MILLRACE_TTY: 'false', ...env },
})
type Place = ReturnType<typeof placeOf>
const health = (place: Place) => runCommand(['health'], place)

/** Asked for a clean end, which must not wait for what the command waits for: the next line about it would come after 10 s. */
async function stopped(command: RunningCommand, signal: NodeJS.Signals) {
  const at = performance.now()
  command.process.kill(signal)
  const ended = await command.ended
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 })
  expect(performance.now() - at).toBeLessThan(5_000)
  return ended
}

describe('a command at whose address something else listens', { timeout: 90_000 }, () => {
  test('ends, says what it found and names the setting', async () => {
    const port = await oddServer('speaks HTTP')
    const database = runCommand(
      ['run', 'realtime', '--source', 'simulator'],
      placeOf('odd', { DATABASE_URL: `postgres://user:password@127.0.0.1:${port}/database` }),
    )
    const brokers = runCommand(
      ['ingest', '--source', 'simulator'],
      placeOf('odd-ingest', { KAFKA_BROKERS: `127.0.0.1:${port}` }),
    )
    expect(await database).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/is no PostgreSQL: it answers as a server of HTTP does.*DATABASE_URL/),
    })
    expect(await brokers).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/is no broker of Kafka: it answers as a server of HTTP does.*KAFKA_BROKERS/),
    })
  })
})

describe('a command that is started before its database', { timeout: 90_000 }, () => {
  const simulate = ['--source', 'simulator']

  test('a run waits, says so, counts as healthy, and makes candles once the database is there', async () => {
    const place = placeOf('run', { DATABASE_URL: databaseUrl(connection) })
    const run = start(['run', 'realtime', ...simulate], place)
    await run.seen(/^Waiting for postgres:\/\/127\.0\.0\.1:\d+\/\S+: could not .*ECONNREFUSED/m)
    const { code, stdout } = await health(place)
    expect(stdout).toMatch(/runs: simulator, seed 1, waiting for postgres:\/\/127\.0\.0\.1:\d+.*ECONNREFUSED/)
    expect(code).toBe(0)
    const server = await startOrJoin(join(folder, 'server'))
    try {
      await run.seen(/^postgres:\/\/127\.0\.0\.1:\d+\/\S+ is there after \d+/m)
      await run.seen(/^First candle after/m)
      const ended = await stopped(run, 'SIGTERM')
      expect(ended.stdout + ended.stderr).not.toContain(connection.password)
    } finally {
      await server.stop()
    }
  })

  test('an ingest into the log of the database waits, too', async () => {
    const ingest = start(['ingest', ...simulate], placeOf('ingest', { DATABASE_URL: databaseUrl(connection) }))
    await ingest.seen(/^Waiting for postgres:.*ECONNREFUSED/m)
    const server = await startOrJoin(join(folder, 'server'))
    try {
      await ingest.seen(/^[1-9]\S* records in the log/m)
      await stopped(ingest, 'SIGINT')
    } finally {
      await server.stop()
    }
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends the wait at once, and that is no failure', async (signal) => {
    const run = start(['run', 'realtime', ...simulate], placeOf('stop', { DATABASE_URL: databaseUrl(connection) }))
    await run.seen(/^Waiting for postgres:/m)
    const { stdout } = await stopped(run, signal)
    expect(stdout).toMatch(/^Stopped while waiting for postgres:/m)
  })

  test('a wrong password, and a database that does not exist, end it at once', async () => {
    const server = await startOrJoin(join(folder, 'server'))
    try {
      const wrong = [
        [{ ...connection, password: 'wrong' }, /password authentication failed.*check user and password/],
        [{ ...connection, password: '' }, /password.*check user and password/],
        [{ ...connection, database: 'nowhere' }, /database "nowhere" does not exist/],
      ] as const
      for (const [address, message] of wrong) {
        for (const command of [['run', 'realtime'], ['ingest']]) {
          const ended = await runCommand(
            [...command, ...simulate],
            placeOf('wrong', { DATABASE_URL: databaseUrl(address), PGPASSWORD: '' }),
          )
          expect(ended.stderr).toMatch(message)
          expect(ended, ended.stdout).toMatchObject({ code: 2 })
          expect(ended.stdout).not.toContain('Waiting for postgres')
        }
      }
    } finally {
      await server.stop()
    }
  })

  test('a command that gives one answer does not wait', async () => {
    const ended = await runCommand(['migrate'], placeOf('migrate', { DATABASE_URL: databaseUrl(connection) }))
    expect(ended).toMatchObject({ code: 1 })
    expect(ended.stderr).toContain('MILLRACE_RETRYABLE')
  })
})

describe.skipIf(!canStartBroker)(
  startTitle('a command that is started before its broker'),
  { timeout: 120_000 },
  () => {
    let broker: Broker
    let server: Awaited<ReturnType<typeof startOrJoin>>
    let env: Readonly<Record<string, string>>
    beforeAll(async () => {
      const [plain = 0, sasl = 0, controller = 0] = await freePorts(3)
      broker = await startBroker({ dataDir: join(folder, 'kafka'), ports: { plain, sasl, controller } })
      server = await startOrJoin(join(folder, 'server'))
      env = { KAFKA_BROKERS: broker.brokers.join(','), DATABASE_URL: databaseUrl(connection) }
    }, 120_000)
    afterAll(async () => {
      await broker.kill()
      await server.stop()
    })

    test.each([
      ['a run', ['run', 'realtime', '--source', 'simulator'], /^First candle after/m],
      ['an ingest', ['ingest', '--source', 'simulator'], /^[1-9]\S* records in the log/m],
      ['a pool of workers', ['run', 'realtime', '--source', 'simulator', '--workers', '2'], /^First candle after/m],
    ])('%s waits, and goes on once the broker is there', async (_, args, result) => {
      await broker.kill()
      const command = start([...args, '--topic', uniqueName('simulated.early')], placeOf('kafka', env))
      await command.seen(/^Waiting for Kafka at 127\.0\.0\.1:\d+: .*ECONNREFUSED/m)
      await broker.start()
      await command.seen(/^Kafka at 127\.0\.0\.1:\d+ is there after/m)
      await command.seen(result)
      command.process.kill('SIGTERM')
      expect(await command.ended).toMatchObject({ code: 0 })
    })

    test('a broker that is there and does not answer is waited for, and SIGTERM ends the wait', async () => {
      await broker.start()
      broker.suspend()
      try {
        const run = start(
          ['run', 'realtime', '--source', 'none', '--topic', uniqueName('early')],
          placeOf('kafka', env),
        )
        await run.seen(/^Waiting for Kafka at/m)
        await stopped(run, 'SIGTERM')
      } finally {
        broker.resume()
      }
    })

    test('wrong credentials, and a name that no topic may have, end it at once', async () => {
      await broker.start()
      const wrong = {
        KAFKA_BROKERS: broker.saslBrokers.join(','),
        KAFKA_SASL_MECHANISM: 'scram-sha-256',
        KAFKA_SASL_USERNAME: 'nobody',
        KAFKA_SASL_PASSWORD: 'wrong',
      }
      for (const command of [['run', 'realtime'], ['ingest']]) {
        const args = [...command, '--source', 'simulator', '--topic']
        const refused = await runCommand([...args, 'simulated.early'], placeOf('kafka', { ...env, ...wrong }))
        expect(refused.stderr).toContain('Check kafka.sasl')
        expect(refused, refused.stdout).toMatchObject({ code: 2 })
        const misnamed = await runCommand([...args, 'no such/simulated'], placeOf('kafka', env))
        expect(misnamed, misnamed.stdout + misnamed.stderr).toMatchObject({ code: 2 })
      }
    })
  },
)
