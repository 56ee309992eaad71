import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import pg from 'pg'
import { startOrJoin } from '../embedded/embeddedPostgres.ts'
import { plainConnectionWarning } from '../host/plainConnections.ts'
import { openConnection, type PostgresAddress } from '../sinks/postgres/connection.ts'
import { databaseLocation, parseDatabaseUrl } from '../sinks/postgres/databaseUrl.ts'
import { asMillraceError } from '../sinks/postgres/errors.ts'
import { exitOnSignal } from './exitOnSignal.ts'
import type { SettingValues } from './settings.ts'

/** The schemas of prices: invented ones never share a table with real ones. */
export const dataSets = ['public', 'simulated'] as const

export type DataSet = (typeof dataSets)[number]

/** Where the invented prices of somebody go whose real ones are in this schema. */
export function simulatedSchemaOf(schema: string): string {
  return schema === 'public' ? 'simulated' : `${schema}_simulated`
}

/** Whether invented prices would be looked for in a schema of this name. */
export function isSimulatedSchema(schema: string): boolean {
  return schema === 'simulated' || schema.endsWith('_simulated')
}

/** As people call what a schema holds: by the name of the schema, but for the real one. */
export function dataSetName(schema: string): string {
  return schema === 'public' ? 'real' : schema
}

/** A running database and how to reach it. */
export interface Database {
  readonly address: PostgresAddress
  /** For people; holds no secret. */
  readonly location: string
  /** A connection that sees the tables of the schema, which need not be there. */
  connect(schema: string): Promise<pg.Client>
  /** Closes what was connected and lets go of the embedded server, which stops when nobody else uses it. */
  close(): Promise<void>
}

type DatabaseSettings = Pick<SettingValues, 'dataDir' | 'databaseUrl'>

const connectTimeoutMs = 10_000

/** Whether something was ever stored: without DATABASE_URL, whether the data folder holds a database. */
export function databaseExists(settings: DatabaseSettings): boolean {
  return settings.databaseUrl !== undefined || existsSync(join(resolve(settings.dataDir), 'postgres', 'password'))
}

/** DATABASE_URL, or the database of the data folder: joined when it runs, else started for as long as it is needed. */
export async function openDatabase(
  settings: DatabaseSettings,
  onProgress: (line: string) => void = () => {},
): Promise<Database> {
  if (settings.databaseUrl !== undefined) {
    const url = parseDatabaseUrl(settings.databaseUrl)
    const warning = plainConnectionWarning(url)
    if (warning !== null) onProgress(`warning: ${warning}`)
    const location = databaseLocation(url)
    return database({ connectionString: settings.databaseUrl }, location, async () => {})
  }
  const mayEnd = exitOnSignal()
  try {
    const embedded = await startOrJoin(settings.dataDir, { onProgress })
    const { host, port } = embedded.connection
    return database(embedded.connection, `embedded, ${host}:${port}`, () => embedded.stop().finally(mayEnd))
  } catch (error) {
    mayEnd()
    throw error
  }
}

function database(address: PostgresAddress, location: string, release: () => Promise<void>): Database {
  const clients: pg.Client[] = []
  return {
    address,
    location,
    connect: async (schema) => {
      const client = await connectTo(address, location, schema)
      clients.push(client)
      return client
    },
    close: async () => {
      await Promise.allSettled(clients.map((client) => client.end()))
      await release()
    },
  }
}

/** Throws `ConfigurationError` or `RetryableError` with what to do. */
async function connectTo(address: PostgresAddress, location: string, schema: string): Promise<pg.Client> {
  // Not one of the sinks' pools: those end a transaction that idles, and a reader at the end of a pipe may well take its time.
  try {
    return await openConnection(address, { schema, applicationName: 'millrace-cli', connectTimeoutMs })
  } catch (error) {
    throw asMillraceError(error, `connect to ${location}`)
  }
}

/** Opens the database for as long as `use` takes. What the server says is given as an error with a remedy. */
export async function withDatabase<T>(
  settings: DatabaseSettings,
  onProgress: (line: string) => void,
  use: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(settings, onProgress)
  try {
    return await use(database)
  } catch (error) {
    throw isDatabaseError(error) ? asMillraceError(error, `read from ${database.location}`) : error
  } finally {
    await database.close()
  }
}

function isDatabaseError(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return true
  if (!(error instanceof Error)) return false
  return error.message.startsWith('Connection terminated') || ('syscall' in error && error.syscall === 'connect')
}
