import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { claimArchive } from '../sinks/archive/archiveOwner.ts'
import { probeStore } from '../sinks/objects/probeStore.ts'
import { knownKeys, schemaIdentity } from '../sinks/postgres/archiveIdentity.ts'
import { openPool } from '../sinks/postgres/connection.ts'
import type { HostSettings } from './hostSettings.ts'
import { archiveKeyPrefix } from './openArchive.ts'
import type { RunDatabase } from './runDatabase.ts'

/** A pipeline that is about to archive topics into a store. */
export interface OwnArchiveOptions {
  readonly store: ObjectStore
  readonly pipeline: string
  readonly topics: readonly string[]
  readonly database: RunDatabase
  readonly settings: Pick<HostSettings, 'dataDir' | 'databaseUrl' | 'schema'>
  readonly onWarning: (text: string) => void
}

/**
 * Makes sure that the store takes objects from here, and that the archives of these topics there are this database's or nobody's yet. Throws
 * `ConfigurationError` where they are another's and for what a person has to change, `RetryableError` for what may pass.
 */
export async function ownArchive(options: OwnArchiveOptions): Promise<void> {
  const { store, pipeline, topics, database, settings, onWarning } = options
  const { schema } = settings
  await probeStore(store)
  const pool = openPool(database.address, { schema, applicationName: 'millrace archive', maxConnections: 1 })
  try {
    const id = await schemaIdentity(pool)
    const owner = { id, database: nameOf(database, settings), schema, pipeline }
    for (const topic of topics) {
      const place = { store, keyPrefix: archiveKeyPrefix(schema), topic }
      const marker = await claimArchive(place, owner, (keys) => knownKeys(pool, topic, keys))
      if (marker.owner.pipeline === pipeline) continue
      onWarning(
        `pipeline ${marker.owner.pipeline} has archived ${topic} in ${store.location} as well: who reads by the keys there gets records twice, who reads by the manifest of one pipeline does not. ` +
          'A prefix of its own keeps them apart (MILLRACE_ARCHIVE).',
      )
    }
  } finally {
    await pool.end()
  }
}

/** For people elsewhere, who may find it in a bucket. */
function nameOf({ location }: RunDatabase, { databaseUrl, dataDir }: OwnArchiveOptions['settings']): string {
  return databaseUrl === undefined ? `embedded in ${resolve(dataDir)} on ${hostname()}` : location
}
