import { join } from 'node:path'
import { startOrJoin } from '../../../src/embedded/embeddedPostgres.ts'
import { defaultPartitions } from '../../../src/host/hostSettings.ts'
import { kafkaOutgoingTopics } from '../../../src/host/kafkaTopics.ts'
import { openPool } from '../../../src/sinks/postgres/connection.ts'
import { kafkaSettings } from '../../../src/sources/kafka/kafkaSettings.ts'
import { openKafkaLog } from '../../../src/sources/kafka/openKafkaLog.ts'
import { startBroker } from '../../../test/support/brokerProcess.ts'
import { missingForBroker } from '../../../test/support/kafkaJars.ts'
import { startS3Server } from '../../../test/support/s3Server.ts'
import { KafkaFaults } from '../kafka/kafkaFaults.ts'
import { ownersOf } from '../kafka/owners.ts'
import { Workers } from '../workers.ts'
import type { Faults, Stage, StageOptions } from './stage.ts'

const bucket = 'archive'
const sessionTimeoutMs = 1_500
const firstWorkers = 3
const partitions = defaultPartitions

/** A broker, a PostgreSQL and a bucket, and several workers who share the partitions. */
export async function kafkaStage(options: StageOptions): Promise<Stage> {
  const { folder, run, nodeFlags, env, client, say, closing, retentionHours = 24 } = options
  const missing = await missingForBroker()
  if (missing !== null) throw new Error(`chaos on Kafka needs a broker that it may kill, but ${missing}`)
  const broker = await startBroker({ dataDir: join(folder, 'kafka') })
  closing.push(() => broker.kill())
  const postgres = await startOrJoin(join(folder, 'postgres'))
  closing.push(() => postgres.stop())
  const objects = await startS3Server({ buckets: [bucket] })
  closing.push(() => objects.close())
  const database = postgres.connection
  const pool = openPool(database, { schema: 'public', applicationName: 'chaos', maxConnections: 1 })
  closing.push(() => pool.end())
  const kafka = kafkaSettings({ brokers: [...broker.brokers] })
  const settings = {
    partitions,
    logRetentionHours: retentionHours,
    kafkaRetentionHours: retentionHours,
    kafkaReplication: null,
  }
  const { user, password, host, port, database: name } = database
  const place = {
    ...{ run, nodeFlags, dataDir: join(folder, 'workers') },
    env: {
      MILLRACE_TTY: 'false',
      MILLRACE_CHECKPOINT_MS: '50',
      KAFKA_BROKERS: broker.brokers.join(','),
      KAFKA_CLIENT: client,
      KAFKA_SESSION_TIMEOUT_MS: String(sessionTimeoutMs),
      DATABASE_URL: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${name}`,
      MILLRACE_ARCHIVE: `s3://${bucket}`,
      AWS_ENDPOINT_URL: objects.endpoint,
      AWS_REGION: objects.region,
      AWS_ACCESS_KEY_ID: objects.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: objects.credentials.secretAccessKey,
      ...env,
    },
  }
  return {
    place,
    database,
    partitions,
    openTopic: kafkaOutgoingTopics(kafka, settings, partitions, () => undefined),
    openSource: (topic) => openKafkaLog(kafka, { topic, group: 'chaos' }),
    // Without the one by which a worker finds out what the bucket can do.
    objects: () =>
      new Map(
        [...objects.objects(bucket)].flatMap(([key, { body }]) => (key.startsWith('_millrace/') ? [] : [[key, body]])),
      ),
    faults: (random, onGaveUp, of): Faults => {
      const workers = new Workers(of?.place ?? place, onGaveUp)
      for (let count = 0; count < firstWorkers; count++) workers.join()
      const owners = () => ownersOf(pool, of?.pipeline)
      const faults = new KafkaFaults({ workers, broker, postgres, objects, sessionTimeoutMs, owners, say }, random)
      return {
        get kills() {
          return faults.kills
        },
        get faults() {
          return faults.faults
        },
        get counts() {
          return { ...faults.counts, zombies: faults.zombies }
        },
        get starts() {
          return workers.starts
        },
        strike: (kills) => faults.strike(kills),
        end: () => workers.end(),
        kill: () => workers.kill(),
      }
    },
  }
}
