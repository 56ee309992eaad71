import { formatKey, parseKey } from '../../queries/deadLetters.ts'
import type { RedriveReport } from '../../queries/redrive.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, dataSetName, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { redriveFiltered, redriveKeys } from '../redriveIn.ts'
import { eachSchema, lookedAt } from '../schemas.ts'
import { shellWord } from '../shellWord.ts'

interface Redriven extends RedriveReport {
  readonly schema: string
  /** As people call what is in the schema. */
  readonly dataSet: string
  readonly topic: string
}

/** Appends dead letters to their topics again. */
export async function redriveDeadLetters(context: CommandContext): Promise<number> {
  const { settings, output, args } = context
  const { reason = null, operator = null, topic = null, pipeline = null, all } = settings
  const isFiltered = all || [reason, operator, topic, pipeline].some((filter) => filter !== null)
  if (args.length > 0 && isFiltered) throw new UsageError('name ids or filters (--all, --reason …), not both.')
  if (args.length === 0 && !isFiltered)
    throw new UsageError('which dead letters? Name ids, a filter such as --reason, or --all.')
  const keys = args.map(parseKey)
  if (!databaseExists(settings)) {
    output.err('There is no database yet, hence no dead letter.')
    return keys.length === 0 ? exitOk : exitFailure
  }
  const missing = new Set(keys.map(formatKey))
  const schemas: string[] = []
  const reports = await withDatabase(settings, output.err, (database) =>
    eachSchema(database, settings.onlySchema, async (client, schema) => {
      schemas.push(schema)
      const place = { address: database.address, client, schema }
      const { topics, found } =
        keys.length === 0
          ? { topics: await redriveFiltered(context, place, { reason, operator, topic, pipeline }), found: [] }
          : await redriveKeys(context, place, keys)
      for (const key of found) missing.delete(formatKey(key))
      return topics.map((report): Redriven => ({ schema, dataSet: dataSetName(schema), ...report }))
    }),
  )
  const done = reports.flat()
  await output.out(
    settings.json
      ? `${JSON.stringify({ redriven: done, missing: [...missing] }, null, 2)}\n`
      : `${done.length === 0 ? `Nothing to redrive (${lookedAt(schemas)}).` : done.flatMap(linesOf).join('\n')}\n`,
  )
  for (const id of missing) output.err(`There is no dead letter ${id} (${lookedAt(schemas)}).`)
  return missing.size === 0 ? exitOk : exitFailure
}

function linesOf(report: Redriven): readonly string[] {
  const lines = [`${report.topic} (schema ${report.schema}): ${report.redriven} appended again and stamped`]
  if (report.recovered > 0) {
    lines.push(
      `  ${report.recovered} had been appended by a redrive that was cut short; stamped now, not appended again`,
    )
  }
  for (const { id, why } of report.skipped) lines.push(`  ${shellWord(id)} left as it is: ${why}`)
  return lines
}
