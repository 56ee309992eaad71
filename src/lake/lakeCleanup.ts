import type pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import type { LakePlace } from './lakeCommit.ts'
import { whileNothingIsWritten } from './lakeLock.ts'
import { ownerKey, ownLake } from './lakeOwner.ts'

/** What stays of the past. */
export interface ExpireOptions {
  /** How many of a table's newest snapshots stay in any case, at least 1. */
  readonly keepSnapshots: number
  /** Snapshots younger than this stay, ms. Readers have so long to finish with one. */
  readonly keepMs: number
  /** The time now, ms UTC. */
  readonly now: number
}

/** What was let go of. */
export interface Expired {
  /** With its namespace. */
  readonly table: string
  /** How many snapshots. */
  readonly snapshots: number
  /** How many objects were deleted, of data and metadata. */
  readonly objects: number
}

const tables = 'SELECT name, location FROM lake_table ORDER BY name'

// The newest stays, whatever its age.
const oldestKept = `
SELECT min(sequence)::float8 AS oldest FROM (
  SELECT sequence, committed_at, row_number() OVER (ORDER BY sequence DESC) AS place FROM lake_snapshot WHERE table_name = $1
) AS s WHERE place <= $2 OR committed_at > to_timestamp($3::float8 / 1000)`

const old = `SELECT FROM lake_snapshot AS s WHERE committed_at < to_timestamp($1::float8 / 1000)
  AND (SELECT count(*) FROM lake_snapshot AS newer WHERE newer.table_name = s.table_name AND newer.sequence > s.sequence) >= $2 LIMIT 1`

// What a snapshot that is kept may still name was not removed before it. A path may have come back since.
const forget = `
WITH snapshots AS (
  DELETE FROM lake_snapshot WHERE table_name = $1 AND sequence < $2
  RETURNING sequence, manifest_list, metadata
), files AS (
  DELETE FROM lake_file WHERE table_name = $1 AND removed <= $2 RETURNING path, added
), manifests AS (
  DELETE FROM lake_manifest WHERE table_name = $1 AND removed <= $2 RETURNING path
)
SELECT (SELECT count(*) FROM snapshots)::float8 AS snapshots,
       array(
         SELECT manifest_list FROM snapshots
         UNION ALL SELECT metadata FROM snapshots
         UNION ALL SELECT 'metadata/v' || sequence || '.metadata.json' FROM snapshots
         UNION ALL SELECT path FROM manifests
         UNION ALL SELECT path FROM files AS gone
           WHERE NOT EXISTS (
             SELECT FROM lake_file AS stays
             WHERE table_name = $1 AND stays.path = gone.path AND stays.added <> gone.added AND (stays.removed IS NULL OR stays.removed > $2)
           )
       ) AS paths`

/**
 * Lets go of snapshots of every table that are neither among the newest nor young, and of the files that only they need. A crash in the middle leaves objects that `sweepLake` finds.
 * Metadata that was written before names them until the next commit of the table.
 * @throws ConfigurationError where nothing of a table would stay, or the lake is another database's
 */
export async function expireLake(
  client: pg.ClientBase,
  place: LakePlace,
  { keepSnapshots, keepMs, now }: ExpireOptions,
): Promise<readonly Expired[]> {
  if (!(Number.isSafeInteger(keepSnapshots) && keepSnapshots >= 1)) {
    throw new ConfigurationError(`expireLake: keepSnapshots must be a whole number from 1, got ${keepSnapshots}`)
  }
  await ownLake(client, place)
  return whileNothingIsWritten(client, async () => {
    const expired: Expired[] = []
    for (const name of await tablesIn(client, place)) {
      const kept = await client.query<{ oldest: number }>(oldestKept, [name, keepSnapshots, now - keepMs])
      const [gone] = (
        await client.query<{ snapshots: number; paths: readonly string[] }>(forget, [name, kept.rows[0]?.oldest ?? 0])
      ).rows
      if (gone === undefined || gone.snapshots === 0) continue
      const folder = `${place.keyPrefix}${name.replace('.', '/')}`
      for (const path of new Set(gone.paths)) await place.store.delete(`${folder}/${path}`)
      expired.push({ table: name, snapshots: gone.snapshots, objects: new Set(gone.paths).size })
    }
    return expired
  })
}

/** Whether a table has a snapshot of before that time (ms UTC) besides so many of its newest ones. */
export async function hasSnapshotsBefore(client: pg.ClientBase, time: number, newest: number): Promise<boolean> {
  const { rowCount } = await client.query(old, [time, newest])
  return rowCount === 1
}

/** @throws ConfigurationError where one has its files elsewhere, which would stay when its rows go */
async function tablesIn(client: pg.ClientBase, { store, keyPrefix }: LakePlace): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string; location: string }>(tables)
  for (const { name, location } of rows) {
    if (location === `${store.location}/${keyPrefix}${name.replace('.', '/')}`) continue
    throw new ConfigurationError(
      `lake table ${name}: its files are in ${location}, and not in ${store.location}/${keyPrefix}. Give the place that it was made in (MILLRACE_LAKE).`,
    )
  }
  return rows.map(({ name }) => name)
}

const known = `
SELECT path FROM lake_file WHERE table_name = $1
UNION SELECT path FROM lake_manifest WHERE table_name = $1
UNION SELECT manifest_list FROM lake_snapshot WHERE table_name = $1
UNION SELECT metadata FROM lake_snapshot WHERE table_name = $1
UNION SELECT 'metadata/v' || sequence || '.metadata.json' FROM lake_snapshot WHERE table_name = $1`

/**
 * Finds the objects of the lake that no row names, as a crash in the middle of a commit leaves them, and deletes them where it is told to. Waits for commits under way, and none begins
 * meanwhile. A lake below this one's prefix, which has an owner of its own, is left alone. Holds the keys of one lake.
 * @returns their keys, in byte order
 * @throws ConfigurationError where the lake is another database's
 */
export async function sweepLake(
  client: pg.ClientBase,
  place: LakePlace,
  { isDeleting }: { readonly isDeleting: boolean },
): Promise<readonly string[]> {
  const { store, keyPrefix } = place
  await ownLake(client, place)
  return whileNothingIsWritten(client, async () => {
    const named = new Set<string>([keyPrefix + ownerKey])
    for (const name of await tablesIn(client, place)) {
      const { rows } = await client.query<{ path: string }>(known, [name])
      for (const { path } of rows) named.add(`${keyPrefix}${name.replace('.', '/')}/${path}`)
    }
    const nameless: string[] = []
    for await (const { key } of store.list(keyPrefix)) if (!named.has(key)) nameless.push(key)
    // A lake of another schema may lie below, as under a prefix that is empty.
    const others = nameless.filter((key) => key.endsWith(`/${ownerKey}`)).map((key) => key.slice(0, -ownerKey.length))
    const orphans = nameless.filter((key) => !others.some((prefix) => key.startsWith(prefix)))
    if (isDeleting) for (const key of orphans) await store.delete(key)
    return orphans
  })
}
