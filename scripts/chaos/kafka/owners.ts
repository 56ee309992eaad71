import type pg from 'pg'

/** Who owns each partition, by the database; null while that cannot be asked. */
export async function ownersOf(pool: pg.Pool): Promise<ReadonlyMap<number, string> | null> {
  try {
    const { rows } = await pool.query<{ partition: number; owner: string }>('SELECT partition, owner FROM stream_task')
    return new Map(rows.map(({ partition, owner }) => [partition, owner]))
  } catch {
    // PostgreSQL is down at times; that is what this is about.
    return null
  }
}
