import { join } from 'node:path'
import { startOrJoin } from '../../../src/embedded/embeddedPostgres.ts'
import { EmbeddedLog } from '../../../src/embedded/log/embeddedLog.ts'
import { openEmbeddedTopics } from '../../../src/host/embeddedTopics.ts'
import { defaultPartitions } from '../../../src/host/hostSettings.ts'
import { prepareDatabase } from '../../../src/host/prepareDatabase.ts'
import { openPool } from '../../../src/sinks/postgres/connection.ts'
import { archiveObjects } from '../dump.ts'
import { EmbeddedFaults } from './embeddedFaults.ts'
import type { Stage, StageOptions } from './stage.ts'

const schema = 'public'
const partitions = defaultPartitions

/** What a pipeline has where nothing is set: log, state and rows in the PostgreSQL of a data folder, and the archive beside it. */
export async function embeddedStage({
  folder,
  run,
  nodeFlags,
  env,
  topics,
  say,
  closing,
  retentionHours = 24,
}: Omit<StageOptions, 'client'>): Promise<Stage> {
  const dataDir = join(folder, 'data')
  const postgres = await startOrJoin(dataDir)
  closing.push(() => postgres.stop())
  const database = postgres.connection
  await prepareDatabase(database, schema)
  const settings = {
    partitions,
    logRetentionHours: retentionHours,
    kafkaRetentionHours: retentionHours,
    kafkaReplication: null,
  }
  const opened = await openEmbeddedTopics({ address: database, schema, topics, settings, onWarning: say })
  closing.push(() => opened.close())
  const pool = openPool(database, {
    schema,
    applicationName: 'chaos log',
    maxConnections: partitions * topics.length + 1,
  })
  closing.push(() => pool.end())
  const place = {
    ...{ run, nodeFlags, dataDir },
    env: { MILLRACE_TTY: 'false', MILLRACE_CHECKPOINT_MS: '50', ...env },
  }
  return {
    place,
    database,
    partitions,
    openTopic: opened.openTopic,
    openSource: (topic) => EmbeddedLog.open({ pool, topic }),
    objects: () => archiveObjects(join(dataDir, 'archive')),
    faults: (random, onGaveUp, of) =>
      new EmbeddedFaults({ place: of?.place ?? place, postgres, onGaveUp, say }, random),
  }
}
