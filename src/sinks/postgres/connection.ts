import pg from 'pg'
import { prepareSession, type SessionSettings } from './session.ts'
import { completeAddress, SessionClient } from './sessionClient.ts'

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
  /** Fires when the database is given up: every connection is cut, and what waits for an answer fails. */
  readonly lost?: AbortSignal | undefined
  /** Sends statements without waiting for the answer of the one before, on the same connection. Of COPY it takes `copyIn` alone. */
  readonly isPipelined?: boolean
}

/**
 * Connections whose search_path is the schema, checked when each is made. Every wait on the database is bounded, also one on a server that hangs or a
 * cable that was cut, and a session that holds locks without going on is ended by the server.
 * @throws ConfigurationError where the address cannot be used
 */
export function openPool(address: PostgresAddress, options: PoolOptions): pg.Pool {
  const statementTimeoutMs = options.statementTimeoutMs ?? 60_000
  const config = clientConfig(address, options.applicationName, options.connectTimeoutMs)
  const session: SessionSettings = {
    schema: options.schema,
    statementTimeoutMs,
    // A worker that was stopped in mid-transaction must not keep the next owner of its partition waiting.
    idleInTransactionMs: 10_000,
  }
  let isPoolerKnown = false
  const pool = new pg.Pool({
    ...config,
    Client: SessionClient as unknown as NonNullable<pg.PoolConfig['Client']>,
    max: options.maxConnections ?? 4,
    query_timeout: statementTimeoutMs + 5_000,
    pipeline: options.isPipelined ?? false,
    allowExitOnIdle: true,
    onConnect: async (client) => {
      await prepareSession(client as pg.Client, session, !isPoolerKnown, () => connectBare(config))
      isPoolerKnown = true
    },
  })
  // An idle connection that the server closed is no failure of anything: the pool has dropped it and opens another on demand.
  pool.on('error', () => {})
  // Neither is one that breaks while it is lent out, between two statements: the next statement fails, and says it to its caller.
  pool.on('connect', (client) => client.on('error', () => {}))
  if (options.lost !== undefined) cutWhenLost(pool, options.lost)
  return pool
}

function cutWhenLost(pool: pg.Pool, lost: AbortSignal): void {
  const clients = new Set<SessionClient>()
  pool.on('connect', (client) => clients.add(client as unknown as SessionClient))
  pool.on('remove', (client) => clients.delete(client as unknown as SessionClient))
  lost.addEventListener('abort', () => clients.forEach((client) => void client.cut()), { once: true })
}

/** How one connection is made that is no pool's. */
export interface ConnectOptions {
  readonly schema: string
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string
  readonly connectTimeoutMs: number
}

/**
 * One connection whose search_path is the schema, and whose statements and transactions may take as long as they like.
 * @throws ConfigurationError where the address cannot be used or the session is not what it must be, and what the driver and the server say
 */
export async function openConnection(address: PostgresAddress, options: ConnectOptions): Promise<pg.Client> {
  const config = clientConfig(address, options.applicationName, options.connectTimeoutMs)
  const client = await connectBare(config)
  const session = { schema: options.schema, statementTimeoutMs: null, idleInTransactionMs: null }
  try {
    await prepareSession(client, session, true, () => connectBare(config))
    return client
  } catch (error) {
    await client.end().catch(() => undefined)
    throw error
  }
}

function clientConfig(
  address: PostgresAddress,
  applicationName = 'millrace',
  connectTimeoutMs = 5_000,
): ConstructorParameters<typeof SessionClient>[0] {
  const { application_name, connectionTimeoutMillis, ...complete } = completeAddress(address)
  return {
    ...complete,
    application_name: application_name ?? applicationName,
    connectionTimeoutMillis: connectionTimeoutMillis ?? connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  }
}

async function connectBare(config: ConstructorParameters<typeof SessionClient>[0]): Promise<pg.Client> {
  const client = new SessionClient(config)
  // A connection that breaks later also fails the query under way; without a listener it would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
    return client
  } catch (error) {
    await client.end().catch(() => undefined)
    throw error
  }
}

/** A name as SQL takes it, whatever it holds. */
export function quoteIdentifier(name: string): string {
  return pg.escapeIdentifier(name)
}
