import type pg from 'pg'

const key = `hashtextextended('millrace.lake ' || current_schema(), 0)`

/** Runs `act` while no clean-up of the lake goes on, which would take files for forsaken that no row names yet. */
export function whileWriting<T>(client: pg.ClientBase, act: () => Promise<T>): Promise<T> {
  return withLock(client, 'pg_advisory_lock_shared', 'pg_advisory_unlock_shared', act)
}

/** Runs `act` while nothing is written to the lake; waits for what is being written. */
export function whileNothingIsWritten<T>(client: pg.ClientBase, act: () => Promise<T>): Promise<T> {
  return withLock(client, 'pg_advisory_lock', 'pg_advisory_unlock', act)
}

async function withLock<T>(client: pg.ClientBase, lock: string, unlock: string, act: () => Promise<T>): Promise<T> {
  await client.query(`SELECT ${lock}(${key})`)
  try {
    return await act()
  } finally {
    await client.query(`SELECT ${unlock}(${key})`)
  }
}
