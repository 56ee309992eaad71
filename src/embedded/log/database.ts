import pg from 'pg'
import { type ErrorPlace, MillraceError } from '../../runtime/errors.ts'
import { asMillraceError } from '../../sinks/postgres/errors.ts'

/** Runs one statement; an error is given as the runner understands it. */
export async function run<Row extends pg.QueryResultRow>(
  database: pg.Pool | pg.PoolClient,
  doing: string,
  place: ErrorPlace,
  text: string,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  try {
    return (await database.query<Row>(text, [...values])).rows
  } catch (error) {
    throw asMillraceError(error, doing, place)
  }
}

/** Runs `work` in one transaction. When it fails, for whatever reason, nothing of it is stored, or its error says that this is unknown. */
export async function inTransaction<Result>(
  pool: pg.Pool,
  doing: string,
  place: ErrorPlace,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> {
  let client: pg.PoolClient
  try {
    client = await pool.connect()
  } catch (error) {
    throw asMillraceError(error, doing, place)
  }
  // A connection that fails while nothing runs on it says so by an event; the next statement on it fails as well.
  const ignore = () => {}
  client.on('error', ignore)
  let isUsable = false
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    isUsable = true
    return result
  } catch (error) {
    isUsable = isAnswer(error) && (await hasRolledBack(client))
    throw asMillraceError(error, doing, place)
  } finally {
    client.off('error', ignore)
    client.release(!isUsable)
  }
}

/** Whether the server, or code of ours, has spoken. Otherwise the connection is broken or hangs: it is given up, and rolls back by itself. */
function isAnswer(error: unknown): boolean {
  return error instanceof MillraceError || error instanceof pg.DatabaseError
}

async function hasRolledBack(client: pg.PoolClient): Promise<boolean> {
  try {
    await client.query('ROLLBACK')
    return true
  } catch {
    return false
  }
}
