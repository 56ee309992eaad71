import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import type pg from 'pg'
import { type EmbeddedPostgres, startOrJoin } from '../../../src/embedded/embeddedPostgres.ts'
import { openPool, type PostgresConnection } from '../../../src/sinks/postgres/connection.ts'
import { kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaWriter } from '../../../src/sources/kafka/producer/openKafkaWriter.ts'
import { Random } from '../../../src/testing/random.ts'
import { differencesOf, type Outcome } from '../../../src/testing/simulation/outcome.ts'
import { type Broker, startBroker } from '../../../test/support/brokerProcess.ts'
import { missingForBroker } from '../../../test/support/kafkaJars.ts'
import { type S3Server, startS3Server } from '../../../test/support/s3Server.ts'
import { superuserOf } from '../../superuser.ts'
import { archivedLines, tablesOf } from '../dump.ts'
import { type WorkerPlace, WorkerProcess, Workers } from '../workers.ts'
import { KafkaFaults } from './kafkaFaults.ts'
import { ownersOf } from './owners.ts'
import { contentOf } from './topicContent.ts'
import { liesOf, producerErrors } from './truth.ts'
import { partitions, UnkindTopic } from './unkindTopic.ts'

export interface KafkaChaosOptions {
  readonly kills: number
  readonly seed: number
  readonly client: 'wire' | 'kafkajs'
  readonly isKept: boolean
  readonly say: (line: string) => void
}

/** What is printed at the end. */
export interface KafkaChaosSummary {
  readonly kills: number
  readonly faults: number
  /** Tables, dead letters, manifest, objects and state as of the uninterrupted run, and candles and dead letters as the generator knows them. */
  readonly equal: boolean
  readonly [more: string]: unknown
}

const topic = 'crypto.trades.raw'
const sessionTimeoutMs = 1_500
const firstWorkers = 3
const drainTimeoutMs = 300_000
/** A database, and a bucket, each. */
const disturbed = 'disturbed'
const undisturbed = 'undisturbed'

/**
 * Workers of the real command on a real broker and a real PostgreSQL, with an S3 server of the test kit, all of them struck again and again while unkind
 * trades come in; afterwards the same topic is read by a worker that nobody disturbs, into another database and bucket, and all that was left is compared.
 */
export async function chaosOnKafka(options: KafkaChaosOptions): Promise<KafkaChaosSummary> {
  const { kills, seed, client, say } = options
  const missing = await missingForBroker()
  if (missing !== null) throw new Error(`chaos on Kafka needs a broker that it may kill, but ${missing}`)
  const startedAt = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-kafka-'))
  // PostgreSQL runs under another account where we are root, and must be able to pass through.
  chmodSync(folder, 0o755)
  const closing: (() => Promise<unknown> | unknown)[] = []
  try {
    const broker = await startBroker({ dataDir: join(folder, 'kafka') })
    closing.push(() => broker.kill())
    const postgres = await startOrJoin(join(folder, 'data'))
    closing.push(() => postgres.stop())
    const objects = await startS3Server({ buckets: [disturbed, undisturbed] })
    closing.push(() => objects.close())
    await makeTopic(broker)
    await makeDatabases(postgres.connection, join(folder, 'data'))
    const place = (name: string) => placeOf(name, folder, broker, postgres, objects, client)
    const pools = [disturbed, undisturbed].map((database) =>
      openPool({ ...postgres.connection, database }, { schema: 'public', applicationName: 'chaos', maxConnections: 1 }),
    ) as [pg.Pool, pg.Pool]
    closing.push(() => Promise.all(pools.map((pool) => pool.end())))

    const kafka = kafkaSettings({ brokers: [...broker.brokers] })
    const writer = await openKafkaWriter(kafka, { topic })
    closing.push(() => writer.close())
    const input = new UnkindTopic(writer, seed)
    const writing = input.write()
    writing.catch(() => undefined)

    const gaveUp: string[] = []
    const workers = new Workers(place(disturbed), (worker, code) => {
      // At work it has to wait for what is away; a start may say what it misses and end.
      say(`worker ${worker.id} ended by itself with exit code ${code}:\n${lastLines(worker.output)}`)
      if (worker.isAtWork) gaveUp.push(worker.output)
    })
    closing.push(() => workers.kill())
    for (let count = 0; count < firstWorkers; count++) workers.join()
    const owners = () => ownersOf(pools[0])
    const faults = new KafkaFaults(
      { workers, broker, postgres, objects, sessionTimeoutMs, owners, say },
      new Random(`chaos on kafka ${seed}`),
    )
    await Promise.race([faults.strike(kills), writing.then(() => new Promise<never>(() => undefined))])
    input.enough()
    const truth = await writing
    say(`${faults.kills} kills, ${faults.faults} faults; ${truth.records} records written`)
    await workers.end()
    await drain(place(disturbed), say)
    say('the same topic without disturbances')
    await drain(place(undisturbed), say)

    const outcomeOf = async (pool: pg.Pool, bucket: string): Promise<Outcome> =>
      new Map([...(await tablesOf(pool)), ['archived records', await archivedLines(pool, objectsIn(objects, bucket))]])
    const [left, plain] = await Promise.all([outcomeOf(pools[0], disturbed), outcomeOf(pools[1], undisturbed)])
    // By the client that the workers did not use.
    const content = await contentOf({ ...kafka, client: client === 'wire' ? 'kafkajs' : 'wire' }, topic)
    const differences = [
      ...differencesOf(plain, left),
      ...producerErrors(truth, content),
      ...(await liesOf(pools[0], truth, content)),
      ...gaveUp.map((output) => `a worker gave up: ${output.slice(-300)}`),
    ]
    for (const line of differences.slice(0, 20)) say(`  ${line.slice(0, 400)}`)
    return {
      ...{ kills: faults.kills, faults: faults.faults, equal: differences.length === 0, client },
      ...{ ...faults.counts, zombies: faults.zombies, starts: workers.starts, gave_up: gaveUp.length },
      ...{ records: truth.records, differences: differences.length, sizes: sizesOf(plain, objects), seed },
      seconds: Math.round((performance.now() - startedAt) / 1_000),
    }
  } finally {
    for (const close of closing.reverse()) await Promise.resolve(close()).catch((error: unknown) => say(String(error)))
    if (options.isKept) say(`data folders: ${folder}`)
    else rmSync(folder, { recursive: true, force: true })
  }
}

async function makeTopic(broker: Broker): Promise<void> {
  const admin = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  // Event time is long ago, where retention by time would delete it all, and in a long run years ahead.
  const configEntries = [
    { name: 'retention.ms', value: '-1' },
    { name: 'message.timestamp.after.max.ms', value: '9223372036854775807' },
  ]
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }], waitForLeaders: true })
  await admin.disconnect()
}

async function makeDatabases(connection: PostgresConnection, dataDir: string): Promise<void> {
  const options = { schema: 'public', applicationName: 'chaos', maxConnections: 1 }
  const pool = openPool(superuserOf(connection, dataDir), options)
  for (const name of [disturbed, undisturbed]) await pool.query(`CREATE DATABASE ${name} OWNER ${connection.user}`)
  await pool.end()
}

function placeOf(
  name: string,
  folder: string,
  broker: Broker,
  { connection }: EmbeddedPostgres,
  objects: S3Server,
  client: string,
): WorkerPlace {
  const { user, password, host, port } = connection
  return {
    run: ['realtime', '--source', 'none', '--topic', topic, '--group', `chaos.${name}`],
    dataDir: join(folder, name),
    env: {
      MILLRACE_TTY: 'false',
      MILLRACE_CHECKPOINT_MS: '50',
      KAFKA_BROKERS: broker.brokers.join(','),
      KAFKA_CLIENT: client,
      KAFKA_SESSION_TIMEOUT_MS: String(sessionTimeoutMs),
      DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${name}`,
      MILLRACE_ARCHIVE: `s3://${name}`,
      AWS_ENDPOINT_URL: objects.endpoint,
      AWS_REGION: objects.region,
      AWS_ACCESS_KEY_ID: objects.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: objects.credentials.secretAccessKey,
    },
  }
}

/** One worker alone, to the end of the topic; it closes what is open then. */
async function drain(place: WorkerPlace, say: (line: string) => void): Promise<void> {
  const worker = new WorkerProcess(place, 'last', ['--until-end', '--close-open'])
  const killing = setTimeout(() => worker.signal('SIGKILL'), drainTimeoutMs)
  const code = await worker.ended
  clearTimeout(killing)
  if (code !== 0) throw new Error(`the last worker ended with ${code}:\n${worker.output}`)
  say(lastLines(worker.output, 4))
}

function objectsIn(server: S3Server, bucket: string): ReadonlyMap<string, Buffer> {
  return new Map([...server.objects(bucket)].map(([key, { body }]) => [key, body]))
}

function sizesOf(tables: Outcome, server: S3Server): Record<string, number> {
  const sizes = [...tables].map(([name, lines]): [string, number] => [name, lines.length])
  return Object.fromEntries([...sizes, ['objects', server.objects(undisturbed).size]])
}

function lastLines(output: string, count = 30): string {
  return output.trimEnd().split('\n').slice(-count).join('\n')
}
