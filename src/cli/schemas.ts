import type pg from 'pg'
import { migratedSchemas, newestMigration } from '../queries/dataSets.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { suggest } from '../runtime/suggest.ts'
import { readMigrations } from '../sinks/postgres/migrate.ts'
import { type Database, dataSets } from './database.ts'

/**
 * The schemas that hold tables of Millrace and that the user may read: those of prices first, then by name; with `only`, that one.
 * @throws ConfigurationError where `only` is none of them
 */
export async function schemasOf(database: Database, only?: string): Promise<readonly string[]> {
  const client = await database.connect('public')
  const found = await migratedSchemas(client)
  const schemas = [...dataSets.filter((one) => found.includes(one)), ...found.filter((one) => !isDataSet(one))]
  if (only === undefined) return schemas
  if (schemas.includes(only)) return [only]
  throw new ConfigurationError(
    `schema "${only}" (--schema, MILLRACE_SCHEMA) of ${database.location} holds no tables of Millrace that you may read; ` +
      (schemas.length === 0 ? 'no schema does.' : `these do: ${schemas.join(', ')}.`),
  )
}

/**
 * Runs `use` on each schema that holds tables of Millrace, or on that one alone.
 * @throws ConfigurationError where one was made by another release, whose tables may lack what is asked for
 */
export async function eachSchema<T>(
  database: Database,
  only: string | undefined,
  use: (client: pg.Client, schema: string) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = []
  for (const schema of await schemasOf(database, only)) {
    const client = await database.connect(schema)
    await requireCurrent(client, schema)
    results.push(await use(client, schema))
  }
  return results
}

/** Where was looked, for a message that nothing was found. */
export function lookedAt(schemas: readonly string[]): string {
  if (schemas.length === 0) return 'no schema holds tables of Millrace'
  return `looked at schema${schemas.length === 1 ? '' : 's'} ${schemas.join(', ')}`
}

function isDataSet(schema: string): boolean {
  return (dataSets as readonly string[]).includes(schema)
}

async function requireCurrent(client: pg.Client, schema: string): Promise<void> {
  const wanted = readMigrations().at(-1)?.number ?? 0
  const number = await newestMigration(client)
  if (number === wanted) return
  throw new ConfigurationError(
    `schema ${schema} has the tables of ${number < wanted ? 'an older' : 'a newer'} release (migration ${number}, this one has ${wanted}): ` +
      (number < wanted ? `run \`millrace migrate --schema ${schema}\`` : 'use that release') +
      ', or name the schema to look at with --schema.',
  )
}

const pipelineNames = 'SELECT DISTINCT pipeline FROM stream_task ORDER BY pipeline'

/** ` (did you mean X?)` for a pipeline that is known in none of the schemas, where one of nearly that name is. */
export async function nearPipeline(database: Database, only: string | undefined, pipeline: string): Promise<string> {
  const names = await eachSchema(database, only, async (client) => {
    const { rows } = await client.query<{ pipeline: string }>(pipelineNames)
    return rows.map((row) => row.pipeline)
  })
  return suggest(pipeline, names.flat())
}
