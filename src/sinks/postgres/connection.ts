import pg from 'pg'

/** How to reach a database: its `host` (a name or an address) and `port`, the `user` with its `password`, and which `database` of the server. */
export interface PostgresConnection {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** The parts of a connection, or a `connectionString` such as `postgres://user:password@host:port/database?sslmode=…`. */
export type PostgresAddress = PostgresConnection | { readonly connectionString: string }

/** Which data set a pool of connections works on, and how long it waits for the database. */
export interface PoolOptions {
  /** Decides which data set the unqualified names of sql/ mean. */
  readonly schema: string
  /** Shown in `pg_stat_activity`. */
  readonly applicationName?: string
  /** How many connections are open at most; 4 unless told otherwise. */
  readonly maxConnections?: number
  /** How long to wait for a connection, until it is open or another one is given back; 5 s unless told otherwise. */
  readonly connectTimeoutMs?: number
  /** The server gives a statement up after this, and the client gives the server up a little later; 60 s unless told otherwise. */
  readonly statementTimeoutMs?: number
  /** Sends statements without waiting for the answer of the one before, on the same connection. Excludes COPY. */
  readonly isPipelined?: boolean
}

/**
 * Connections whose search_path is the schema. Every wait on the database is bounded, also one on a server that hangs or a
 * cable that was cut, and a session that holds locks without going on is ended by the server.
 */
export function openPool(address: PostgresAddress, options: PoolOptions): pg.Pool {
  const statementTimeoutMs = options.statementTimeoutMs ?? 60_000
  const pool = new pg.Pool({
    ...address,
    max: options.maxConnections ?? 4,
    application_name: options.applicationName ?? 'millrace',
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + 5_000,
    // A worker that was stopped in mid-transaction must not keep the next owner of its partition waiting.
    idle_in_transaction_session_timeout: 10_000,
    keepAlive: true,
    options: sessionOptions(options.schema),
    pipeline: options.isPipelined ?? false,
    allowExitOnIdle: true,
  })
  // An idle connection that the server closed is no failure of anything: the pool has dropped it and opens another on demand.
  pool.on('error', () => {})
  // Neither is one that breaks while it is lent out, between two statements: the next statement fails, and says it to its caller.
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

/** Start options of a session whose unqualified names are those of the schema, and whose times are UTC. */
export function sessionOptions(schema: string): string {
  return `-c search_path=${quoteIdentifier(schema).replace(/[\\ ]/g, '\\$&')} -c timezone=UTC`
}

export function quoteIdentifier(name: string): string {
  return pg.escapeIdentifier(name)
}
