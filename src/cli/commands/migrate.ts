import { openPool } from '../../sinks/postgres/connection.ts'
import { migrate as migrateSchema } from '../../sinks/postgres/migrate.ts'
import type { CommandContext } from '../commandContext.ts'
import { dataSetNames, dataSets, withDatabase } from '../database.ts'
import { exitOk } from '../exit.ts'

/** Brings both data sets up to date and says what was done. */
export async function migrate(context: CommandContext): Promise<number> {
  const { settings, output } = context
  await withDatabase(settings, output.err, async (database) => {
    for (const dataSet of dataSets) {
      const pool = openPool(database.address, { schema: dataSet, maxConnections: 1 })
      try {
        const applied = await migrateSchema(pool, dataSet)
        const what = applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`
        await output.out(`data set ${dataSetNames[dataSet]} (schema ${dataSet}): ${what}\n`)
      } finally {
        await pool.end()
      }
    }
  })
  return exitOk
}
