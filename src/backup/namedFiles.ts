import type pg from 'pg'
import { ownerKey } from '../lake/lakeOwner.ts'
import { markerKey } from '../sinks/archive/archiveOwner.ts'

/** A file that the rows of a schema name. */
export interface NamedFile {
  readonly key: string
  /** Null where the rows do not say. */
  readonly sha256: string | null
}

const archived = `SELECT DISTINCT ON (key) key, sha256 FROM archive_object ORDER BY key`
const topics = 'SELECT DISTINCT topic FROM archive_object ORDER BY topic'

const inLake = `
SELECT t.name, t.location, f.path, f.sha256 FROM lake_table AS t JOIN (
  SELECT table_name, path, min(sha256) AS sha256 FROM lake_file GROUP BY table_name, path
  UNION SELECT table_name, path, NULL FROM lake_manifest
  UNION SELECT table_name, manifest_list, NULL FROM lake_snapshot
  UNION SELECT table_name, metadata, NULL FROM lake_snapshot
) AS f ON f.table_name = t.name
ORDER BY t.name, f.path`
const published = `SELECT table_name AS name, 'metadata/v' || sequence || '.metadata.json' AS path FROM lake_snapshot ORDER BY table_name, sequence`

/** The objects of the archive that the manifest of the schema names, and what says whose they are. */
export async function archivedFiles(client: pg.ClientBase, keyPrefix: string): Promise<readonly NamedFile[]> {
  const objects = (await client.query<{ key: string; sha256: string }>(archived)).rows
  const owners = (await client.query<{ topic: string }>(topics)).rows
  return [...objects, ...owners.map(({ topic }) => ({ key: markerKey(keyPrefix, topic), sha256: null }))]
}

/**
 * The files of the lake that its rows name, and those besides that are there where it is whole: a table's newest `metadata/v….json` is written after its commit, so it may be missing.
 * Gives the places too where its tables say that they are.
 */
export async function lakeFiles(
  client: pg.ClientBase,
  keyPrefix: string,
): Promise<{
  readonly named: readonly NamedFile[]
  readonly beside: readonly NamedFile[]
  readonly locations: readonly string[]
}> {
  const { rows } = await client.query<{ name: string; location: string; path: string; sha256: string | null }>(inLake)
  const folderOf = (name: string) => `${keyPrefix}${name.replace('.', '/')}`
  const more = (await client.query<{ name: string; path: string }>(published)).rows
  const suffix = (name: string) => `/${folderOf(name)}`
  return {
    named: rows.map(({ name, path, sha256 }) => ({ key: `${folderOf(name)}/${path}`, sha256 })),
    beside: [
      ...more.map(({ name, path }) => ({ key: `${folderOf(name)}/${path}`, sha256: null })),
      { key: keyPrefix + ownerKey, sha256: null },
    ],
    locations: [
      ...new Set(
        rows.map(({ name, location }) =>
          location.endsWith(suffix(name)) ? location.slice(0, -suffix(name).length) : location,
        ),
      ),
    ],
  }
}
