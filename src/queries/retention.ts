import type pg from 'pg'

/** What the retention of rows has done to one kind of them. */
export interface RetentionFacts {
  readonly kind: string
  readonly keepMs: number
  /** ms UTC: when it was looked at last. */
  readonly ranAt: number
  /** Ever. */
  readonly deletedRows: number
  /** ms UTC: the newest time of a row that was deleted, or null. */
  readonly deletedUntil: number | null
}

/** What the retention has done, by kind. */
export async function retentionFacts(client: pg.ClientBase): Promise<readonly RetentionFacts[]> {
  const { rows } = await client.query<RetentionFacts>(
    `SELECT kind, keep_ms::float8 AS "keepMs", (extract(epoch FROM ran_at) * 1000)::float8 AS "ranAt", deleted_rows::float8 AS "deletedRows",
            (extract(epoch FROM deleted_until) * 1000)::float8 AS "deletedUntil"
     FROM retention ORDER BY kind`,
  )
  return rows
}
