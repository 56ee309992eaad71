import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { saslUser } from '../support/brokerProcess.ts'
import { type RunningCommand, runCommand, startCommand } from '../support/commandLine.ts'
import { type ComposeFile, makeEnvFile, missingForCompose, readComposeFile } from '../support/composeFile.ts'
import { databaseUrl } from '../support/databaseUrl.ts'
import { hasKafka, kafkaTitle, type SharedBroker, sharedBroker, uniqueName } from '../support/kafkaBroker.ts'
import { type S3Server, startS3Server } from '../support/s3Server.ts'
import { unmarked } from '../support/unmarkedExchange.ts'

const missing = await missingForCompose()
const canRun = hasKafka && missing === null
const title = missing === null ? kafkaTitle('the services of docker-compose.yml') : `docker-compose.yml (${missing})`
if (!canRun) console.warn(`SKIPPED: ${title}`)

/** The commands and variables of the file, with the addresses of servers of our own; topics have other names, for a broker may be somebody's. */
describe.skipIf(!canRun)(title, { timeout: 120_000 }, () => {
  let file: ComposeFile
  let broker: SharedBroker
  let postgres: EmbeddedPostgres
  let s3: S3Server
  let exchange: SimulatedExchange
  let real: Awaited<ReturnType<typeof unmarked>>
  let folder: string
  let topics: Readonly<Record<string, string>>

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-compose-'))
    topics = {
      'crypto.trades.raw': uniqueName('crypto.trades.raw'),
      'crypto.trades.simulated.raw': uniqueName('crypto.trades.simulated.raw'),
    }
    const env = await makeEnvFile()
    file = await readComposeFile(env.path)
    env.remove()
    broker = await sharedBroker()
    postgres = await startOrJoin(join(folder, 'postgres'))
    s3 = await startS3Server()
    exchange = await SimulatedExchange.start({ startMs: Date.now() - 60_000 })
    real = await unmarked(exchange)
  }, 240_000)
  afterAll(async () => {
    await exchange.close()
    await real.close()
    await s3.close()
    await postgres.stop()
    await broker.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function service(name: string) {
    const { command, environment } = file.services[name] ?? {}
    const here: Readonly<Record<string, string>> = {
      KAFKA_BROKERS: (broker.saslBrokers ?? broker.brokers).join(','),
      KAFKA_SASL_USERNAME: saslUser.username,
      KAFKA_SASL_PASSWORD: saslUser.password,
      DATABASE_URL: databaseUrl(postgres.connection),
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      AWS_REGION: s3.region,
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    }
    // A broker that somebody has named may know no logins.
    const isTaken = (key: string) => broker.saslBrokers !== null || !key.startsWith('KAFKA_SASL_')
    const given = Object.entries(environment ?? {})
      .filter(([key]) => isTaken(key))
      .map(([key, value]) => [key, here[key] ?? value ?? ''])
    const topic = topics[name.endsWith('-simulated') ? 'crypto.trades.simulated.raw' : 'crypto.trades.raw']
    const env: Record<string, string> = {
      ...Object.fromEntries(given),
      MILLRACE_DATA_DIR: join(folder, name),
      MILLRACE_BINANCE_WS_URL: real.streamUrl,
      MILLRACE_BINANCE_REST_URL: real.restUrl,
      ...(/^(ingest|worker)/.test(name) ? { MILLRACE_TOPIC: topic ?? '' } : {}),
    }
    return { args: (command ?? []).map((word) => topics[word] ?? word), place: { cwd: folder, env } }
  }

  async function succeeded(name: string) {
    const { args, place } = service(name)
    const ended = await runCommand(args, place)
    expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0 })
    // A variable that is none of ours would be warned about.
    expect(ended.stderr).toBe('')
    return ended.stdout
  }

  const started: RunningCommand[] = []
  const start = (name: string): RunningCommand => {
    const { args, place } = service(name)
    const command = startCommand(args, place)
    started.push(command)
    return command
  }
  // A test that fails must not leave its processes behind.
  afterEach(async () => {
    for (const command of started.splice(0)) {
      command.process.kill('SIGKILL')
      await command.ended
    }
  })

  const healthOf = async (name: string) => (await runCommand(['health'], service(name).place)).stdout
  // A process says for the first time after a second how it is.
  const healthy = (name: string) =>
    expect.poll(() => healthOf(name), { timeout: 20_000, interval: 500 }).toMatch(/^process \d+ runs: /)

  async function stopped(running: RunningCommand) {
    running.process.kill('SIGTERM')
    const ended = await running.ended
    expect(ended, ended.stdout + ended.stderr).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Stopped cleanly'),
    })
  }

  test('buckets and topics are made once, and a second start leaves them alone', async () => {
    expect(await succeeded('buckets')).toBe(
      ['raw', 'bronze', 'silver', 'gold'].map((one) => `bucket ${one}: made\n`).join(''),
    )
    expect(await succeeded('buckets')).toContain('bucket bronze: is there already')
    expect(await succeeded('topics')).toContain(': made with 4 partitions')
    expect(await succeeded('topics')).toContain(': is there already')
  })

  test('wrong credentials at the object store are named, and not shown', async () => {
    const { args, place } = service('buckets')
    const wrong = { ...place, env: { ...place.env, AWS_SECRET_ACCESS_KEY: 'not-the-secret' } }
    const ended = await runCommand(args, wrong)
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('check the access key and the secret') })
    expect(ended.stderr).not.toContain('not-the-secret')
  })

  test('ingest and worker of the exchange bring its trades to the database, and are healthy', async () => {
    const [ingest, worker] = [start('ingest'), start('worker')]
    await ingest.seen(/log {10}Kafka at/)
    const trading = setInterval(() => {
      for (const symbol of ['BTCUSDT', 'ETHUSDT', 'BNBUSDT']) exchange.trade(symbol)
    }, 20)
    try {
      await worker.seen(/First candle after/)
      await healthy('ingest')
      await healthy('worker')
      expect(await succeeded('cli')).toContain('Data set real')
    } finally {
      clearInterval(trading)
    }
    await stopped(ingest)
    await stopped(worker)
    expect(await runCommand(['health'], service('worker').place)).toMatchObject({ code: 1 })
  })

  test('invented trades have a topic and a data set of their own', async () => {
    const [ingest, worker] = [start('ingest-simulated'), start('worker-simulated')]
    await worker.seen(/First candle after/)
    await worker.seen(/SIMULATED PRICES/)
    await healthy('ingest-simulated')
    expect(await succeeded('cli')).toContain('Data set simulated: INVENTED prices')
    await stopped(ingest)
    await stopped(worker)
  })
})
