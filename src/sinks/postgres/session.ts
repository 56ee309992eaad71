import pg from 'pg'
import { ConfigurationError } from '../../runtime/errors.ts'
import { requireSessionPooling } from './pooler.ts'
import { askSession } from './sessionQuery.ts'

/** What a session is to be like, whatever the server, the role, the address or a pooler on the way would make of it. */
export interface SessionSettings {
  /** What the unqualified names of sql/ mean. */
  readonly schema: string
  /** Null leaves it to the server. */
  readonly statementTimeoutMs: number | null
  /** Of a transaction that does nothing. Null leaves it to the server. */
  readonly idleInTransactionMs: number | null
}

// A session of which a part of a transaction has come keeps its tables from being altered, and no timeout ends it while it waits for the rest: that the client is gone is what the server has to find out.
const set = `SELECT set_config('search_path', $1, false), set_config('TimeZone', 'UTC', false), set_config('client_encoding', 'UTF8', false),
  set_config('DateStyle', 'ISO, MDY', false), set_config('IntervalStyle', 'postgres', false), set_config('bytea_output', 'hex', false),
  set_config('extra_float_digits', '1', false), set_config('standard_conforming_strings', 'on', false),
  set_config('default_transaction_isolation', 'read committed', false), set_config('lock_timeout', '0', false),
  set_config('statement_timeout', coalesce($2, current_setting('statement_timeout')), false),
  set_config('idle_in_transaction_session_timeout', coalesce($3, current_setting('idle_in_transaction_session_timeout')), false),
  (SELECT count(set_config(name, '0', false)) FROM pg_settings WHERE name = 'transaction_timeout'),
  set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false),
  set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)`

const readBack = `SELECT current_setting('search_path') AS "searchPath", current_setting('TimeZone') AS "timeZone",
  current_setting('client_encoding') AS "clientEncoding", current_setting('server_encoding') AS "serverEncoding",
  current_database() AS database, pg_backend_pid() AS pid`

interface SessionFacts {
  readonly searchPath: string
  readonly timeZone: string
  readonly clientEncoding: string
  readonly serverEncoding: string
  readonly database: string
  readonly pid: number
}

/**
 * Makes a fresh connection a session of the schema, and checks that it is one. Nothing of it goes in with the startup message, which an address can
 * replace and a pooler leaves out.
 * @param checksPooler whether to find out, where there is a pooler, that it keeps a session together
 * @param connect makes another connection to the same place
 * @throws ConfigurationError where the session is not as it must be: a pooler that shares sessions, or a database that cannot hold every text
 */
export async function prepareSession(
  client: pg.Client,
  settings: SessionSettings,
  checksPooler: boolean,
  connect: () => Promise<pg.Client>,
): Promise<void> {
  const { schema, statementTimeoutMs, idleInTransactionMs } = settings
  const searchPath = pg.escapeIdentifier(schema)
  await askSession(client, set, [searchPath, textOf(statementTimeoutMs), textOf(idleInTransactionMs)])
  const [facts] = await askSession<SessionFacts>(client, readBack)
  if (facts === undefined) throw new Error('bug: no row of a SELECT without FROM')
  // A server tells its client the number of the process that serves it; a pooler makes one up.
  const isPooled = facts.pid !== processOf(client)
  if (isPooled && checksPooler) await requireSessionPooling(client, connect)
  if (facts.searchPath !== searchPath || facts.timeZone !== 'UTC' || facts.clientEncoding !== 'UTF8') {
    throw new ConfigurationError(
      `the session does not keep what is set in it: search_path is ${facts.searchPath} and was set to ${searchPath}, ` +
        `TimeZone is ${facts.timeZone}, client_encoding is ${facts.clientEncoding}; connect to the server itself, or by a pooler in session mode (pool_mode = session)`,
    )
  }
  if (facts.serverEncoding !== 'UTF8') throw wrongEncoding(facts)
}

function processOf(client: pg.Client): number {
  return (client as unknown as { readonly processID: number }).processID
}

function textOf(ms: number | null): string | null {
  return ms === null ? null : String(ms)
}

function wrongEncoding({ database, serverEncoding }: SessionFacts): ConfigurationError {
  return new ConfigurationError(
    `database ${database} is encoded in ${serverEncoding}, which cannot hold every name and text that comes; it must be UTF8. Make one that is, and name it in DATABASE_URL: ` +
      `CREATE DATABASE ${pg.escapeIdentifier(`${database}_utf8`)} ENCODING 'UTF8' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`,
  )
}
