import type { CommandContext } from '../commandContext.ts'
import type { DataSet } from '../database.ts'
import { databaseExists, dataSetNames, eachDataSet, withDatabase } from '../database.ts'
import { deadLetterDetails, deadLetterJson, deadLetterRow, letterHeadings } from '../deadLetterFormat.ts'
import {
  countDeadLetters,
  type DeadLetterFilter,
  findDeadLetter,
  newestDeadLetters,
  parseKey,
  type StoredDeadLetter,
} from '../deadLetterQueries.ts'
import { exitFailure, exitOk } from '../exit.ts'
import { textTable } from '../textTable.ts'

/** Prints dead letters, newest first. */
export async function listDeadLetters(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const by: DeadLetterFilter = {
    reason: settings.reason ?? null,
    operator: settings.operator ?? null,
    topic: settings.topic ?? null,
    isRedrivenIncluded: settings.redriven,
  }
  const found = databaseExists(settings)
    ? await withDatabase(settings, output.err, (database) =>
        eachDataSet(database, async (client, dataSet) => ({
          dataSet,
          count: await countDeadLetters(client, by),
          letters: await newestDeadLetters(client, by, settings.limit),
        })),
      )
    : []
  const letters = found
    .flatMap(({ dataSet, letters }) => letters.map((letter) => ({ dataSet, letter })))
    .sort((left, right) => right.letter.createdAt - left.letter.createdAt)
    .slice(0, settings.limit)
  const count = found.reduce((sum, one) => sum + one.count, 0)
  await output.out(settings.json ? jsonOf(letters) : textOf(letters))
  if (count === 0) output.err('No dead letters match.')
  else if (letters.length < count) output.err(`${letters.length} of ${count} shown; --limit shows more.`)
  return exitOk
}

type Listed = readonly { readonly dataSet: DataSet; readonly letter: StoredDeadLetter }[]

function jsonOf(letters: Listed): string {
  return `${JSON.stringify(
    letters.map(({ dataSet, letter }) => deadLetterJson(letter, dataSetNames[dataSet])),
    null,
    2,
  )}\n`
}

function textOf(letters: Listed): string {
  if (letters.length === 0) return ''
  const rows = letters.map(({ dataSet, letter }) => deadLetterRow(letter, dataSetNames[dataSet]))
  return `${textTable(letterHeadings, rows).join('\n')}\n`
}

/** Prints one dead letter whole. The same id may be in both data sets; then both are printed. */
export async function showDeadLetter(context: CommandContext): Promise<number> {
  const { settings, output, args } = context
  const [id = ''] = args
  const key = parseKey(id)
  const found = databaseExists(settings)
    ? await withDatabase(settings, output.err, (database) =>
        eachDataSet(database, async (client, dataSet) => ({ dataSet, letter: await findDeadLetter(client, key) })),
      )
    : []
  let count = 0
  for (const { dataSet, letter } of found) {
    if (letter === null) continue
    count += 1
    const name = dataSetNames[dataSet]
    await output.out(
      settings.json
        ? `${JSON.stringify(deadLetterJson(letter, name), null, 2)}\n`
        : `${deadLetterDetails(letter, name).join('\n')}\n`,
    )
  }
  if (count > 0) return exitOk
  output.err(`There is no dead letter ${id}; \`millrace dead-letters list --redriven\` shows which there are.`)
  return exitFailure
}
