import { countText, durationText } from '../../console/text.ts'
import { countOld, deleteOld, type OldRows } from '../../retention/deleteOld.ts'
import { openPool } from '../../sinks/postgres/connection.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitOk, UsageError } from '../exit.ts'
import { eachSchema } from '../schemas.ts'
import { textTable } from '../textTable.ts'

const statementTimeoutMs = 600_000

/** Says what is older than it is to be kept, or deletes it. */
export async function retention({ settings, output }: CommandContext): Promise<number> {
  const { keep, yes } = settings
  if (keep === undefined)
    throw new UsageError(
      '--keep is missing (MILLRACE_KEEP); say how long what is kept, such as --keep candles-1m=90d. Without it everything is kept.',
    )
  if (!databaseExists(settings)) {
    output.err('There is no database yet, hence nothing to delete.')
    return exitOk
  }
  const perSchema = await withDatabase(settings, output.err, (database) =>
    eachSchema(
      database,
      settings.onlySchema,
      async (client, schema): Promise<readonly (OldRows & { schema: string })[]> => {
        if (!yes) return (await countOld(client, keep)).map((one) => ({ schema, ...one }))
        const pool = openPool(database.address, { schema, maxConnections: 1, statementTimeoutMs })
        try {
          return (await deleteOld(pool, keep, new AbortController().signal)).map((one) => ({ schema, ...one }))
        } finally {
          await pool.end()
        }
      },
    ),
  )
  const rows = perSchema
    .flat()
    .map(({ schema, kind, rows }) => [schema, kind, durationText(keep.get(kind) ?? 0), countText(rows)])
  await output.out(`${textTable(['schema', 'kind', 'kept for', yes ? 'deleted' : 'older'], rows).join('\n')}\n`)
  if (!yes)
    output.err(
      'Nothing was deleted; --yes deletes it. A pipeline that runs with MILLRACE_KEEP deletes it once an hour.',
    )
  return exitOk
}
