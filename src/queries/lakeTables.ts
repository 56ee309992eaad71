import type pg from 'pg'

/** A table of the lake, as it is now. */
export interface StoredLakeTable {
  readonly name: string
  readonly location: string
  /** How many commits there have been. */
  readonly commits: number
  /** How many snapshots are kept. */
  readonly snapshots: number
  readonly files: number
  readonly rows: number
  readonly bytes: number
  /** Of the last commit, ms UTC. */
  readonly committedAt: number
}

const tables = `
SELECT t.name, t.location, t.sequence::float8 AS commits,
       (SELECT count(*) FROM lake_snapshot AS s WHERE s.table_name = t.name)::float8 AS snapshots,
       (SELECT extract(epoch FROM max(s.committed_at)) * 1000 FROM lake_snapshot AS s WHERE s.table_name = t.name)::float8 AS "committedAt",
       count(f.path)::float8 AS files, coalesce(sum(f.row_count), 0)::float8 AS rows, coalesce(sum(f.size_bytes), 0)::float8 AS bytes
FROM lake_table AS t LEFT JOIN lake_file AS f ON f.table_name = t.name AND f.removed IS NULL
GROUP BY t.name ORDER BY t.name`

/** The tables of the lake, by name. */
export async function readLakeTables(client: pg.ClientBase): Promise<readonly StoredLakeTable[]> {
  return (await client.query<StoredLakeTable>(tables)).rows
}
