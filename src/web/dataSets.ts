import type pg from 'pg'
import { hasCandles } from '../queries/candles.ts'
import { migratedSchemas, newestMigration } from '../queries/dataSets.ts'
import { openPool, type PostgresAddress } from '../sinks/postgres/connection.ts'
import { readMigrations } from '../sinks/postgres/migrate.ts'
import type { DataSet } from './protocol.ts'

/** Where the tables are that a console shows. */
export interface DataSetsOptions {
  readonly address: PostgresAddress
  /** Only this schema; null for all that hold tables of Millrace. */
  readonly onlySchema: string | null
  /** What people call the data of a schema, and whether its prices are invented. */
  readonly describe: (schema: string) => { readonly name: string; readonly isSimulated: boolean }
  /** Fires when the database is given up. */
  readonly lost?: AbortSignal | undefined
}

const statementTimeoutMs = 10_000
const connectTimeoutMs = 3_000
/** One for what is pushed, and the others for what is asked for. */
const connectionsEach = 3

/** The schemas with tables of Millrace, and connections to each. Opens one when it is asked for. */
export class DataSets {
  readonly #options: DataSetsOptions
  readonly #pools = new Map<string, pg.Pool>()
  #known: readonly DataSet[] = []

  constructor(options: DataSetsOptions) {
    this.#options = options
  }

  /** As last looked at. */
  get known(): readonly DataSet[] {
    return this.#known
  }

  /** Looks which there are. */
  async look(): Promise<readonly DataSet[]> {
    const { onlySchema, describe } = this.#options
    const found = await migratedSchemas(this.#pool('public'))
    const wanted = readMigrations().at(-1)?.number ?? 0
    const sets: DataSet[] = []
    for (const schema of found) {
      if (onlySchema !== null && schema !== onlySchema) continue
      const pool = this.#pool(schema)
      const number = await newestMigration(pool)
      sets.push({
        schema,
        ...describe(schema),
        problem: number === wanted ? null : problemOf(schema, number < wanted),
        hasCandles: await hasCandles(pool),
      })
    }
    // Real prices first, then invented ones, then whatever else there is.
    const rank = ({ hasCandles, isSimulated }: DataSet) => (hasCandles ? (isSimulated ? 1 : 0) : 2)
    this.#known = sets.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
    return this.#known
  }

  /** Connections to the tables of a schema that was found; null for another. */
  poolOf(schema: string): pg.Pool | null {
    return this.#known.some((one) => one.schema === schema && one.problem === null) ? this.#pool(schema) : null
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.end()))
    this.#pools.clear()
  }

  #pool(schema: string): pg.Pool {
    const { address, lost } = this.#options
    const known = this.#pools.get(schema)
    if (known !== undefined) return known
    const pool = openPool(address, {
      schema,
      applicationName: 'millrace web console',
      maxConnections: connectionsEach,
      connectTimeoutMs,
      statementTimeoutMs,
      lost,
    })
    this.#pools.set(schema, pool)
    return pool
  }
}

function problemOf(schema: string, isOlder: boolean): string {
  return isOlder
    ? `schema ${schema} has the tables of an older release: \`npx millrace migrate --schema ${schema}\` brings them up to date`
    : `schema ${schema} has the tables of a newer release: start the console of that release`
}
