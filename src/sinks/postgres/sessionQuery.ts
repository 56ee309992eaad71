import type pg from 'pg'

/** Longest wait for an answer while a session is made ready. */
const timeoutMs = 5_000

/** Asks while a session is made ready, which nobody should wait long for. */
export async function askSession<Row extends pg.QueryResultRow>(
  client: pg.Client,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  // The driver takes a limit with each query; its types do not say so.
  const query = { text, values: [...values], query_timeout: timeoutMs }
  return (await client.query<Row>(query)).rows
}
