import type { Socket } from 'node:net'
import pg from 'pg'
import type { ErrorPlace } from '../../runtime/errors.ts'
import { asMillraceError } from './errors.ts'

/**
 * Runs the action on a connection of the pool. A connection that saw a failure other than a refused statement is closed; after a refused one its transaction is rolled back.
 * @param doing what the errors say was tried
 */
export async function withClient<T>(
  pool: pg.Pool,
  doing: string,
  place: ErrorPlace,
  action: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw asMillraceError(error, doing, place)
  })
  // Without a listener an error between two queries would end the process; the query that it concerns rejects anyway.
  const onError = () => {}
  client.on('error', onError)
  let isSound = false
  try {
    const result = await action(client)
    isSound = true
    return result
  } catch (error) {
    isSound = error instanceof pg.DatabaseError && (await isRolledBack(client))
    throw asMillraceError(error, doing, place)
  } finally {
    client.off('error', onError)
    client.release(!isSound)
  }
}

/**
 * Sends all that is asked of a pipelined connection in one piece, so that the server wakes once and not for each statement. Waits for all, so that no answer is left on the connection,
 * and then fails with what went wrong first.
 */
export async function together<T extends readonly [] | readonly Promise<unknown>[]>(
  client: pg.ClientBase,
  ask: () => T,
): Promise<{ -readonly [I in keyof T]: Awaited<T[I]> }> {
  const results = await Promise.allSettled(inOnePiece(client, ask))
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as {
    -readonly [I in keyof T]: Awaited<T[I]>
  }
}

function inOnePiece<T>(client: pg.ClientBase, ask: () => T): T {
  const { connection } = client as unknown as { readonly connection: { readonly stream: Socket } }
  const { stream } = connection
  stream.cork()
  try {
    return ask()
  } finally {
    stream.uncork()
  }
}

async function isRolledBack(client: pg.ClientBase): Promise<boolean> {
  try {
    await client.query('ROLLBACK')
    return true
  } catch {
    // The caller closes the connection, which rolls back as well.
    return false
  }
}
