import {
  countDeadLetters,
  type DeadLetterFilter,
  findDeadLetter,
  newestDeadLetters,
  parseKey,
  type StoredDeadLetter,
} from '../../queries/deadLetters.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { deadLetterDetails, deadLetterJson, deadLetterRow, letterHeadings } from '../deadLetterFormat.ts'
import { exitFailure, exitOk } from '../exit.ts'
import { eachSchema, lookedAt } from '../schemas.ts'
import { textTable } from '../textTable.ts'

/** Prints dead letters, newest first. */
export async function listDeadLetters(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const by: DeadLetterFilter = {
    reason: settings.reason ?? null,
    operator: settings.operator ?? null,
    topic: settings.topic ?? null,
    pipeline: settings.pipeline ?? null,
    isRedrivenIncluded: settings.redriven,
  }
  const found = databaseExists(settings)
    ? await withDatabase(settings, output.err, (database) =>
        eachSchema(database, settings.onlySchema, async (client, schema) => ({
          schema,
          count: await countDeadLetters(client, by),
          letters: await newestDeadLetters(client, by, settings.limit, !settings.json),
        })),
      )
    : []
  const letters = found
    .flatMap(({ schema, letters }) => letters.map((letter) => ({ schema, letter })))
    .sort((left, right) => right.letter.createdAt - left.letter.createdAt)
    .slice(0, settings.limit)
  const count = found.reduce((sum, one) => sum + one.count, 0)
  await output.out(settings.json ? jsonOf(letters) : textOf(letters))
  if (count === 0) output.err(`No dead letters match (${lookedAt(found.map(({ schema }) => schema))}).`)
  else if (letters.length < count) output.err(`${letters.length} of ${count} shown; --limit shows more.`)
  return exitOk
}

type Listed = readonly { readonly schema: string; readonly letter: StoredDeadLetter }[]

function jsonOf(letters: Listed): string {
  return `${JSON.stringify(
    letters.map(({ schema, letter }) => deadLetterJson(letter, schema)),
    null,
    2,
  )}\n`
}

function textOf(letters: Listed): string {
  if (letters.length === 0) return ''
  const rows = letters.map(({ schema, letter }) => deadLetterRow(letter, schema))
  return `${textTable(letterHeadings, rows).join('\n')}\n`
}

/** Prints one dead letter whole. The same id may be in several schemas; then each is printed. */
export async function showDeadLetter(context: CommandContext): Promise<number> {
  const { settings, output, args } = context
  const [id = ''] = args
  const key = parseKey(id)
  const found = databaseExists(settings)
    ? await withDatabase(settings, output.err, (database) =>
        eachSchema(database, settings.onlySchema, async (client, schema) => ({
          schema,
          letter: await findDeadLetter(client, key),
        })),
      )
    : []
  let count = 0
  for (const { schema, letter } of found) {
    if (letter === null) continue
    count += 1
    await output.out(
      settings.json
        ? `${JSON.stringify(deadLetterJson(letter, schema), null, 2)}\n`
        : `${deadLetterDetails(letter, schema).join('\n')}\n`,
    )
  }
  if (count > 0) return exitOk
  const place = lookedAt(found.map(({ schema }) => schema))
  output.err(
    `There is no dead letter ${id} (${place}); \`${commandFor(context, 'dead-letters list --redriven')}\` shows which there are.`,
  )
  return exitFailure
}
