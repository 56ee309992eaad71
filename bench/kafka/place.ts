import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import type pg from 'pg'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { openPool, type PostgresConnection } from '../../src/sinks/postgres/connection.ts'
import { startBroker } from '../../test/support/brokerProcess.ts'
import { missingForBroker } from '../../test/support/kafkaJars.ts'

/** What a benchmark on Kafka needs: a broker, a database of its own, a folder. */
export interface BenchPlace {
  readonly brokers: readonly string[]
  readonly connection: PostgresConnection
  readonly folder: string
  /** Two connections for looking at what workers have committed. */
  pool(schema: string): pg.Pool
  makeTopic(topic: string, partitions: number): Promise<void>
  close(): Promise<void>
}

/** As a broker in production: both compilers, 1 GB. */
const jvmOptions = ['-Xms512m', '-Xmx1g', '-XX:+UseG1GC', '-Xshare:auto']

/** Uses the brokers of `KAFKA_BROKERS`, else starts one; PostgreSQL is always a fresh one on this machine. */
export async function openBenchPlace(): Promise<BenchPlace> {
  const given = (process.env.KAFKA_BROKERS ?? '').split(',').filter((address) => address !== '')
  const missing = given.length > 0 ? null : await missingForBroker()
  if (missing !== null) throw new Error(`no broker: ${missing}. Set KAFKA_BROKERS to use one of yours.`)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  // PostgreSQL under another account than root must reach it.
  chmodSync(folder, 0o755)
  const broker = given.length > 0 ? null : await startBroker({ dataDir: join(folder, 'kafka'), jvmOptions })
  const server = await startOrJoin(join(folder, 'data'))
  const brokers = broker?.brokers ?? given
  const pools: pg.Pool[] = []
  const admin = new Kafka({ brokers: [...brokers], clientId: 'bench', logLevel: logLevel.NOTHING }).admin()
  const made: string[] = []
  return {
    brokers,
    connection: server.connection,
    folder,
    pool(schema) {
      const pool = openPool(server.connection, { schema, applicationName: 'bench', maxConnections: 2 })
      pools.push(pool)
      return pool
    },
    async makeTopic(topic, partitions) {
      await admin.connect()
      const configEntries = [{ name: 'retention.ms', value: '-1' }]
      await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }], waitForLeaders: true })
      made.push(topic)
    },
    async close() {
      if (broker === null && made.length > 0) await admin.deleteTopics({ topics: made })
      await admin.disconnect()
      await Promise.all(pools.map((pool) => pool.end()))
      await server.stop()
      await broker?.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
