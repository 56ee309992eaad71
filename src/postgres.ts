import './runtime/checkNode.ts'

export { type EmbeddedPostgres, type StartOptions, startOrJoin } from './embedded/embeddedPostgres.ts'
export { EmbeddedLog, type EmbeddedLogOptions } from './embedded/log/embeddedLog.ts'
export { embeddedTopics } from './embedded/log/embeddedTopics.ts'
export { PostgresCheckpointStore } from './sinks/postgres/checkpointStore.ts'
export {
  openPool,
  type PoolOptions,
  type PostgresAddress,
  type PostgresConnection,
} from './sinks/postgres/connection.ts'
export { ensureTables } from './sinks/postgres/ensureTables.ts'
export { requireFirstStart } from './sinks/postgres/firstStart.ts'
export { migrate } from './sinks/postgres/migrate.ts'
