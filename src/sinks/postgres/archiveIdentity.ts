import type pg from 'pg'
import { asMillraceError } from './errors.ts'

/** A connection that can be asked. */
type Connection = pg.Pool | pg.ClientBase

/** What tells this schema of this database from every other one. Throws `RetryableError` while the database is away. */
export async function schemaIdentity(connection: Connection): Promise<string> {
  const { rows } = await connection
    .query<{ id: string }>('SELECT id::text FROM schema_identity')
    .catch((error: unknown) => {
      throw asMillraceError(error, 'read the identity of the schema')
    })
  const id = rows[0]?.id
  if (id === undefined) throw new Error('bug: a schema without an identity')
  return id
}

/** Those of the keys that the manifest of any pipeline has for the topic. Throws `RetryableError` while the database is away. */
export async function knownKeys(
  connection: Connection,
  topic: string,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await connection
    .query<{ key: string }>('SELECT DISTINCT key FROM archive_object WHERE topic = $1 AND key = ANY ($2)', [
      topic,
      keys,
    ])
    .catch((error: unknown) => {
      throw asMillraceError(error, `look for objects of ${topic} in the manifest`, { topic })
    })
  return new Set(rows.map(({ key }) => key))
}
