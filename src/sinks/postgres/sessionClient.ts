import type { Socket } from 'node:net'
import pg from 'pg'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { PostgresAddress } from './connection.ts'
import { parseDatabaseUrl } from './databaseUrl.ts'
import { tlsOptions } from './tls.ts'

/** Where to connect to and as whom, with nothing left for a driver to fill in from the environment. */
export interface CompleteAddress {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string | (() => string) | undefined
  readonly database: string
  readonly ssl: pg.ClientConfig['ssl']
  readonly enableChannelBinding: boolean
  readonly application_name: string | undefined
  readonly connectionTimeoutMillis: number | undefined
  readonly startOptions: string | undefined
}

/**
 * The address with all its parts. One that is a text is completed by the variables of libpq, as everywhere; one that is given in parts is
 * complete, so that no variable meant for another server reaches this one.
 * @throws ConfigurationError where it cannot be used
 */
export function completeAddress(address: PostgresAddress): CompleteAddress {
  if (!('connectionString' in address)) {
    const { host, port, user, password, database } = address
    return {
      host,
      port,
      user,
      // As a function, because the driver takes an empty text for none and looks elsewhere.
      password: () => password,
      database,
      ssl: false,
      enableChannelBinding: false,
      application_name: undefined,
      connectionTimeoutMillis: undefined,
      startOptions: undefined,
    }
  }
  const url = parseDatabaseUrl(address.connectionString)
  if (url.requiresChannelBinding && (url.sslmode === undefined || url.sslmode === 'disable')) {
    throw new ConfigurationError(
      'channel_binding=require in the address of PostgreSQL needs TLS: add sslmode=verify-full, or leave it out',
    )
  }
  return {
    host: url.host,
    port: url.port,
    user: url.user,
    password: url.password,
    database: url.database,
    ssl: tlsOptions(url),
    enableChannelBinding: url.requiresChannelBinding,
    application_name: url.applicationName,
    connectionTimeoutMillis: url.connectTimeoutMs,
    startOptions: url.options,
  }
}

/** A server that does not take leave in this time is left without. */
const leaveMs = 3_000

/** What a client keeps of its configuration, and fills in from the environment where that is silent. */
interface DriverParameters {
  options: string | undefined
  replication: string | undefined
}

/**
 * A client of exactly what it is told: of the variables of libpq, none is left for it to read but the password file's. Its end is bounded, also that of one
 * whose server hangs.
 */
export class SessionClient extends pg.Client {
  constructor(config: pg.ClientConfig & { readonly startOptions?: string | undefined }) {
    // The pool hides the password from what lists the properties of its options.
    super({ ...config, password: config.password, client_encoding: 'UTF8', sslnegotiation: 'postgres' })
    const driver = this as unknown as {
      readonly connectionParameters: DriverParameters
      replication: string | undefined
    }
    driver.connectionParameters.options = config.startOptions
    driver.connectionParameters.replication = undefined
    driver.replication = undefined
  }

  /** Ends the connection without a word to the server; what waits for an answer fails. */
  cut(): void {
    const { connection } = this as unknown as { readonly connection: { readonly stream: Socket } }
    connection.stream.destroy()
  }

  override end(): Promise<void>
  override end(callback: (error: Error) => void): void
  override end(callback?: (error: Error) => void): Promise<void> | void {
    const timer = setTimeout(() => this.cut(), leaveMs)
    this.once('end', () => clearTimeout(timer))
    return callback === undefined ? super.end() : super.end(callback)
  }
}
