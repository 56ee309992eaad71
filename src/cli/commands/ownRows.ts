import type pg from 'pg'
import { countText } from '../../console/text.ts'
import { ownerText } from '../../runtime/foreignRows.ts'
import { handOver, type OwnedRows, ownedRows, tablesOf } from '../../sinks/postgres/rowHandover.ts'
import { inOneTransaction } from '../../sinks/postgres/savedTasks.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { eachSchema, lookedAt } from '../schemas.ts'

/** Gives rows of upsert tables to another owner, with `--yes`; else says how many that would be. */
export async function ownRows({ settings, args, output }: CommandContext): Promise<number> {
  const { ownedBy: of, newOwner: to } = settings
  if (of === undefined)
    throw new UsageError(
      '--of is missing; name whose rows they are: PIPELINE, PIPELINE/TOPIC or PIPELINE/TOPIC/PARTITION.',
    )
  if (to === undefined)
    throw new UsageError('--to is missing; name who gets them, or nobody: then they belong to who writes them next.')
  if (!databaseExists(settings)) {
    output.err('There is no database yet, hence no rows.')
    return exitFailure
  }
  return withDatabase(settings, output.err, async (database) => {
    const schemas: string[] = []
    const found = await eachSchema(database, settings.onlySchema, async (client, schema) => {
      schemas.push(schema)
      const known = await tablesOf(client, of.pipeline)
      const tables = args.length === 0 ? known : args
      if (known.length === 0) return null
      return inOneTransaction(client, 'READ COMMITTED', () => planAndDo(client, schema, tables))
    })
    const lines = found.filter((one) => one !== null).flat()
    if (lines.length === 0) {
      output.err(`No rows of ${of.pipeline} are known (${lookedAt(schemas)}).`)
      return exitFailure
    }
    await output.out(`${lines.join('\n')}\n`)
    output.err(
      settings.yes
        ? 'Handed over, and recorded in row_handover. Start pipelines that write these tables again.'
        : 'Nothing was changed; --yes hands them over.',
    )
    return exitOk
  })

  async function planAndDo(client: pg.Client, schema: string, tables: readonly string[]): Promise<readonly string[]> {
    const owned = await ownedRows(client, tables, of as NonNullable<typeof of>, to as NonNullable<typeof to>)
    if (settings.yes) await handOver(client, owned)
    return owned.map((rows) => lineOf(schema, rows))
  }
}

function lineOf(schema: string, { table, owner, to, rows }: OwnedRows): string {
  const next = to === null ? 'whoever writes them next' : ownerText(to)
  return `${schema}.${table}: ${countText(rows)} ${rows === 1 ? 'row' : 'rows'} of ${ownerText(owner)} to ${next}`
}
