import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import type pg from 'pg'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import type { Cleanup } from '../../src/host/cleanup.ts'
import { withKafkaAdmin } from '../../src/host/kafkaTopics.ts'
import { openPool, type PostgresConnection } from '../../src/sinks/postgres/connection.ts'
import { kafkaSettings } from '../../src/sources/kafka/kafkaSettings.ts'
// Keeps kafkajs from arming a timer a thousand times a second, which would be a part of every figure.
import '../../src/sources/kafka/kafkajs/internals.ts'
import { findBroker, startBroker } from '../../test/support/brokerProcess.ts'
import { missingForBroker } from '../../test/support/kafkaJars.ts'

/** What a benchmark on Kafka needs: a broker, a database of its own, a folder. */
export interface BenchPlace {
  readonly brokers: readonly string[]
  readonly connection: PostgresConnection
  readonly folder: string
  /** Two connections for looking at what workers have committed. */
  pool(schema: string): pg.Pool
  makeTopic(topic: string, partitions: number): Promise<void>
}

/** As a broker in production: both compilers, 1 GB. */
const jvmOptions = ['-Xms512m', '-Xmx1g', '-XX:+UseG1GC', '-Xshare:auto']

/** Uses the brokers of `KAFKA_BROKERS`, else starts one; PostgreSQL is always a fresh one on this machine. The cleanup gets what is to be closed. */
export async function openBenchPlace(cleanup: Pick<Cleanup, 'add'>): Promise<BenchPlace> {
  const given = (process.env.KAFKA_BROKERS ?? '').split(',').filter((address) => address !== '')
  const missing = given.length > 0 ? null : await missingForBroker()
  if (missing !== null) throw new Error(`no broker: ${missing}. Set KAFKA_BROKERS to use one of yours.`)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  // PostgreSQL under another account than root must reach it.
  chmodSync(folder, 0o755)
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }))
  const kafkaDir = join(folder, 'kafka')
  // Before it is started: a benchmark may be ended meanwhile.
  cleanup.add(() => findBroker(kafkaDir)?.kill())
  const broker = given.length > 0 ? null : await startBroker({ dataDir: kafkaDir, jvmOptions })
  const server = await startOrJoin(join(folder, 'data'))
  cleanup.add(() => server.stop())
  const brokers = broker?.brokers ?? given
  return {
    brokers,
    connection: server.connection,
    folder,
    pool(schema) {
      const pool = openPool(server.connection, { schema, applicationName: 'bench', maxConnections: 2 })
      cleanup.add(() => pool.end())
      return pool
    },
    async makeTopic(topic, partitions) {
      const wanted = { topic, partitions, retentionMs: null, replication: 1 }
      await withKafkaAdmin(kafkaSettings({ brokers: [...brokers] }), (admin) => admin.createTopic(wanted))
      if (broker === null) cleanup.add(() => withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [topic] })))
    },
  }
}

async function withAdmin(brokers: readonly string[], use: (admin: Admin) => Promise<unknown>): Promise<void> {
  const admin = new Kafka({ brokers: [...brokers], clientId: 'bench', logLevel: logLevel.NOTHING }).admin()
  try {
    await admin.connect()
    await use(admin)
  } finally {
    await admin.disconnect()
  }
}
