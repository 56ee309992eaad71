import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { ConfigurationError, RetryableError } from '../../runtime/errors.ts'
import { sessionPoolingRemedy } from './poolerRemedy.ts'
import { askSession } from './sessionQuery.ts'

const mark = `SELECT set_config('millrace.session', $1, false)`
const readMark = `SELECT current_setting('millrace.session', true) AS mark`

/** So often both are asked in turn, for a pooler that goes round its servers. */
const rounds = 4

/**
 * Finds out whether a pooler keeps a session together: what is set on one connection must stay there, and must not be seen on another.
 * @throws ConfigurationError where it hands each transaction, or each statement, to whichever server is free
 */
export async function requireSessionPooling(client: pg.Client, connect: () => Promise<pg.Client>): Promise<void> {
  const mine = randomUUID()
  const other = await connect()
  try {
    await askSession(other, 'SELECT 1').catch((cause: unknown) => {
      throw new RetryableError(
        'the pooler before PostgreSQL gave no second connection within 5 s: its pool is full; raise default_pool_size (of PgBouncer), or end other clients',
        { cause },
      )
    })
    await askSession(client, mark, [mine])
    for (let round = 0; round < rounds; round += 1) {
      if ((await markOf(client)) !== mine || (await markOf(other)) === mine) throw sharedSession()
    }
    await askSession(client, mark, [''])
  } finally {
    await other.end()
  }
}

async function markOf(client: pg.Client): Promise<string | null> {
  const [row] = await askSession<{ mark: string | null }>(client, readMark)
  return row?.mark ?? null
}

function sharedSession(): ConfigurationError {
  return new ConfigurationError(
    'between this program and PostgreSQL is a pooler in transaction or statement mode, which gives a session to others between two transactions; ' +
      `what is set in it, the schema first of all, would be lost or meet other people's work: ${sessionPoolingRemedy}`,
  )
}
