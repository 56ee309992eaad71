import type pg from 'pg'
import { openEmbeddedRedrive } from '../../host/embeddedTopics.ts'
import { isEmbeddedTopic } from '../../host/logKind.ts'
import { openKafkaRedrive, type RedriveTopic } from '../../host/redriveTopic.ts'
import { type DeadLetterKey, deadLetterTopics, findDeadLetter, formatKey, parseKey } from '../../queries/deadLetters.ts'
import { type RedriveReport, type RedriveSelection, redrive } from '../../queries/redrive.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { CommandContext } from '../commandContext.ts'
import { type Database, databaseExists, dataSetName, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { kafkaConnection } from '../kafkaConnection.ts'
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
      const done: Redriven[] = []
      const selections = new Map<string, RedriveSelection>()
      if (keys.length === 0) {
        for (const name of await deadLetterTopics(client, pipeline)) {
          if (topic === null || name === topic)
            selections.set(name, { reason, operator, topic: name, pipeline, isRedrivenIncluded: false })
        }
      }
      for (const key of keys) {
        if ((await findDeadLetter(client, key)) === null) continue
        missing.delete(formatKey(key))
        const others = selections.get(key.topic)
        selections.set(key.topic, [...((others as readonly DeadLetterKey[] | undefined) ?? []), key])
      }
      for (const [name, selection] of selections) {
        const log = await openTopic(context, database, client, schema, name)
        try {
          const report = await redrive(client, log.writer, selection, log.read)
          done.push({ schema, dataSet: dataSetName(schema), topic: name, ...report })
        } finally {
          await log.close()
        }
      }
      return done
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

/** To the log that the topic was processed from. Throws `ConfigurationError` where that is Kafka and no brokers are named. */
async function openTopic(
  { settings }: CommandContext,
  database: Database,
  client: pg.Client,
  schema: string,
  topic: string,
): Promise<RedriveTopic> {
  if (await isEmbeddedTopic(client, topic)) return openEmbeddedRedrive(database.address, schema, topic)
  const kafka = kafkaConnection(settings)
  if (kafka !== null) return openKafkaRedrive(kafka, topic)
  throw new ConfigurationError(
    `topic ${topic} is not in the embedded log, so it was processed from Kafka: set KAFKA_BROKERS to redrive its dead letters.`,
    { topic },
  )
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
