import type pg from 'pg'

/**
 * Who owns each partition, by the database; null while that cannot be asked.
 * @param pipeline which one's, where there are several
 */
export async function ownersOf(pool: pg.Pool, pipeline?: string): Promise<ReadonlyMap<number, string> | null> {
  try {
    const { rows } = await pool.query<{ partition: number; owner: string }>(
      'SELECT partition, owner FROM stream_task WHERE pipeline = coalesce($1, pipeline)',
      [pipeline ?? null],
    )
    return new Map(rows.map(({ partition, owner }) => [partition, owner]))
  } catch {
    // PostgreSQL is down at times; that is what this is about.
    return null
  }
}
