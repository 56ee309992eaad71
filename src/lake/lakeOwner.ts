import { createHash } from 'node:crypto'
import type pg from 'pg'
import { ConfigurationError, DeterminismError } from '../runtime/errors.ts'
import { schemaIdentity } from '../sinks/postgres/archiveIdentity.ts'
import type { LakePlace } from './lakeCommit.ts'

/** Below the lake's prefix. */
export const ownerKey = '_millrace/owner.json'

/**
 * Makes the lake this database's own, or finds that it is: an object that only one may put says whose it is.
 * @throws ConfigurationError where it is another one's, whose files a sweep would take for forsaken
 */
export async function ownLake(client: pg.ClientBase, { store, keyPrefix }: LakePlace): Promise<void> {
  const body = Buffer.from(`${JSON.stringify({ schema: await schemaIdentity(client) })}\n`)
  try {
    await store.put(keyPrefix + ownerKey, body, createHash('sha256').update(body).digest('hex'))
  } catch (error) {
    if (!(error instanceof DeterminismError)) throw error
    throw new ConfigurationError(
      `the lake in ${store.location}/${keyPrefix} belongs to another database: give this one a place or a prefix of its own. Where the other is gone for good, move its files away first.`,
    )
  }
}
