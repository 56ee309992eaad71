import { shownText } from '../../runtime/shownText.ts'
import { openPool } from '../../sinks/postgres/connection.ts'
import { migrate as migrateSchema, migrationTimeoutMs } from '../../sinks/postgres/migrate.ts'
import type { CommandContext } from '../commandContext.ts'
import { dataSets, withDatabase } from '../database.ts'
import { exitOk } from '../exit.ts'
import { schemasOf } from '../schemas.ts'

/** Brings the data sets of prices and every schema that holds tables of Millrace up to date, or the one that is named, and says what was done. */
export async function migrate(context: CommandContext): Promise<number> {
  const { settings, output } = context
  await withDatabase(settings, output.err, async (database) => {
    const schemas =
      settings.onlySchema === undefined ? new Set([...dataSets, ...(await schemasOf(database))]) : [settings.onlySchema]
    for (const schema of schemas) {
      const pool = openPool(database.address, { schema, maxConnections: 1, statementTimeoutMs: migrationTimeoutMs })
      try {
        const applied = await migrateSchema(pool, schema)
        const what = applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`
        await output.out(shownText(`schema ${schema}: ${what}\n`))
      } finally {
        await pool.end()
      }
    }
  })
  return exitOk
}
