import type pg from 'pg'
import type { DataFile, FileFacts } from './dataFile.ts'
import type { IcebergSchema } from './icebergSchema.ts'
import type { ManifestFacts } from './manifest.ts'
import type { SnapshotFacts } from './tableMetadata.ts'

/** A table as the database knows it. */
export interface TableFacts {
  readonly uuid: string
  readonly location: string
  /** Of its last commit. */
  readonly sequence: number
  readonly schemas: readonly IcebergSchema[]
}

/** A file of the current snapshot, and the commit that added it. */
export interface LiveFile extends FileFacts {
  readonly added: number
}

/** A manifest of the current snapshot, and the month of its files. */
export interface LiveManifest {
  readonly month: number
  readonly facts: ManifestFacts
}

/** The table, or null before its first commit. */
export async function readTable(client: Pick<pg.ClientBase, 'query'>, name: string): Promise<TableFacts | null> {
  const { rows } = await client.query<TableFacts>(
    'SELECT uuid, location, sequence::float8 AS sequence, schemas FROM lake_table WHERE name = $1',
    [name],
  )
  return rows[0] ?? null
}

/** The files of the current snapshot, by day and path. */
export async function readLiveFiles(client: Pick<pg.ClientBase, 'query'>, name: string): Promise<readonly LiveFile[]> {
  const { rows } = await client.query<LiveFile>(
    `SELECT path, day, row_count::float8 AS "rowCount", size_bytes::float8 AS "sizeBytes", sha256, null_counts AS "nullCounts", lower, upper,
            added::float8 AS added
     FROM lake_file WHERE table_name = $1 AND removed IS NULL ORDER BY day, path`,
    [name],
  )
  return rows
}

/** The manifests of the current snapshot, by month. */
export async function readLiveManifests(client: pg.ClientBase, name: string): Promise<readonly LiveManifest[]> {
  const { rows } = await client.query<LiveManifest>(
    'SELECT month, facts FROM lake_manifest WHERE table_name = $1 AND removed IS NULL ORDER BY month',
    [name],
  )
  return rows
}

/** The snapshots that are kept, oldest first. */
export async function readSnapshots(client: pg.ClientBase, name: string): Promise<readonly SnapshotFacts[]> {
  const { rows } = await client.query<SnapshotFacts>(
    `SELECT sequence::float8 AS sequence, (extract(epoch FROM committed_at) * 1000)::float8 AS "committedAt", operation, summary,
            manifest_list AS "manifestList", schema_id AS "schemaId", metadata
     FROM lake_snapshot WHERE table_name = $1 ORDER BY sequence`,
    [name],
  )
  return rows
}

/** What a commit makes of the rows. */
export interface CommitFacts {
  readonly name: string
  readonly before: TableFacts | null
  readonly table: TableFacts
  readonly snapshot: SnapshotFacts & { readonly metadata: string }
  readonly added: readonly DataFile[]
  readonly removed: readonly string[]
  readonly manifests: readonly LiveManifest[]
  /** Months whose manifests the new ones replace. */
  readonly months: readonly number[]
}

/**
 * Writes a commit in the transaction of the client. Gives false where another commit has moved the table, in which case the transaction has to be given up.
 */
export async function writeCommit(client: pg.ClientBase, commit: CommitFacts): Promise<boolean> {
  const { name, before, table, snapshot } = commit
  const schemas = JSON.stringify(table.schemas)
  const moved =
    before === null
      ? await client.query(
          'INSERT INTO lake_table (name, uuid, location, sequence, schemas) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING',
          [name, table.uuid, table.location, table.sequence, schemas],
        )
      : await client.query(
          'UPDATE lake_table SET sequence = $3, schemas = $4 WHERE name = $1 AND sequence = $2 AND uuid = $5',
          [name, before.sequence, table.sequence, schemas, table.uuid],
        )
  if (moved.rowCount !== 1) return false
  await client.query(
    `INSERT INTO lake_snapshot (table_name, sequence, committed_at, operation, summary, manifest_list, schema_id, metadata)
     VALUES ($1, $2, to_timestamp($3::float8 / 1000), $4, $5, $6, $7, $8)`,
    [
      name,
      snapshot.sequence,
      snapshot.committedAt,
      snapshot.operation,
      snapshot.summary,
      snapshot.manifestList,
      snapshot.schemaId,
      snapshot.metadata,
    ],
  )
  await client.query(
    'UPDATE lake_file SET removed = $3 WHERE table_name = $1 AND path = ANY ($2) AND removed IS NULL',
    [name, commit.removed, table.sequence],
  )
  await client.query(
    `INSERT INTO lake_file (table_name, path, day, row_count, size_bytes, sha256, null_counts, lower, upper, added)
     SELECT $1, path, day, row_count, size_bytes, sha256, null_counts, lower, upper, $3
     FROM jsonb_to_recordset($2::jsonb) AS f (path text, day integer, row_count bigint, size_bytes bigint, sha256 text, null_counts jsonb, lower jsonb, upper jsonb)`,
    [name, JSON.stringify(commit.added.map(fileRow)), table.sequence],
  )
  await client.query(
    'UPDATE lake_manifest SET removed = $3 WHERE table_name = $1 AND month = ANY ($2) AND removed IS NULL',
    [name, commit.months, table.sequence],
  )
  await client.query(
    `INSERT INTO lake_manifest (table_name, path, month, facts, added)
     SELECT $1, facts->>'path', month, facts, $3 FROM jsonb_to_recordset($2::jsonb) AS m (month integer, facts jsonb)`,
    [name, JSON.stringify(commit.manifests), table.sequence],
  )
  return true
}

/**
 * Moves the pointer that readers of the catalog follow, in the same transaction.
 * @param metadata where the new metadata file is, whole
 */
export async function movePointer(
  client: pg.ClientBase,
  { catalog, namespace, name }: { readonly catalog: string; readonly namespace: string; readonly name: string },
  metadata: string,
): Promise<void> {
  await client.query(
    `INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value) VALUES ($1, $2, 'exists', 'true')
     ON CONFLICT DO NOTHING`,
    [catalog, namespace],
  )
  await client.query(
    `INSERT INTO iceberg_tables AS t (catalog_name, table_namespace, table_name, metadata_location, iceberg_type) VALUES ($1, $2, $3, $4, 'TABLE')
     ON CONFLICT (catalog_name, table_namespace, table_name)
     DO UPDATE SET metadata_location = excluded.metadata_location, previous_metadata_location = t.metadata_location`,
    [catalog, namespace, name, metadata],
  )
}

function fileRow(file: DataFile): object {
  const { path, day, rowCount, sizeBytes, sha256, nullCounts, lower, upper } = file
  return { path, day, row_count: rowCount, size_bytes: sizeBytes, sha256, null_counts: nullCounts, lower, upper }
}
