import type pg from 'pg'
import { countText } from '../../console/text.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { ownerText, type RowOwner } from '../../runtime/store/foreignRows.ts'
import {
  handOver,
  type OwnedRows,
  ownedRows,
  ownersOf,
  type StandingOwner,
  strangersAmong,
  type TasksOf,
  tablesOf,
} from '../../sinks/postgres/rowHandover.ts'
import { inOneTransaction } from '../../sinks/postgres/savedTasks.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { eachSchema, lookedAt, nearPipeline } from '../schemas.ts'

/** Gives rows of upsert tables to another owner, with `--yes`; else says how many that would be. */
export async function ownRows({ settings, args, output }: CommandContext): Promise<number> {
  const { ownedBy: of, newOwner: to } = settings
  if (of === undefined)
    throw new UsageError(
      '--of is missing; name whose rows they are: PIPELINE, PIPELINE/TOPIC or PIPELINE/TOPIC/PARTITION.',
    )
  if (to === undefined)
    throw new UsageError(
      '--to is missing; name who gets them, or nobody: then they are for tasks that begin after that.',
    )
  if (!databaseExists(settings)) {
    output.err('There is no database yet, hence no rows.')
    return exitFailure
  }
  return withDatabase(settings, output.err, async (database) => {
    const schemas: string[] = []
    const owners = new Set<string>()
    const found = await eachSchema(database, settings.onlySchema, async (client, schema) => {
      schemas.push(schema)
      const known = await tablesOf(client, of.pipeline)
      const tables = args.length === 0 ? known : args
      if (known.length === 0) return null
      for (const owner of await ownersOf(client, of.pipeline)) owners.add(taskText(owner))
      return inOneTransaction(client, 'READ COMMITTED', () => planAndDo(client, schema, tables))
    })
    const lines = found.filter((one) => one !== null).flat()
    if (lines.length === 0) {
      const near = owners.size === 0 ? await nearPipeline(database, settings.onlySchema, of.pipeline) : ''
      output.err(`${nothingOf(of, [...owners])} (${lookedAt(schemas)})${near}.`)
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
    const [stranger] = await strangersAmong(client, owned)
    if (stranger !== undefined && !settings.replace) throw wouldReplace(stranger)
    if (settings.yes) await handOver(client, owned, settings.replace)
    return owned.map((rows) => lineOf(schema, rows, settings.replace))
  }
}

function wouldReplace({ nextOffset, ...task }: StandingOwner): ConfigurationError {
  return new ConfigurationError(
    `${ownerText(task)} stands at offset ${nextOffset} and holds nothing of what these rows were made of: of a row that a window makes, it would make its own part in place of the whole. Nothing was changed. ` +
      'Where the records of a key came by two partitions, write them under the right keys into a new topic, and give the rows to nobody: a pipeline that begins on that topic afterwards makes them whole (docs/connect/kafka.md). ' +
      'Where each row comes of one record, so that the newer one may take its place: --replace.',
    task,
  )
}

function taskText({ pipeline, topic, partition }: RowOwner): string {
  return `${pipeline}/${topic}/${partition}`
}

const mostNamed = 8

/** What was looked for and is not there, with whose rows there may be. */
function nothingOf({ pipeline, topic, partition }: TasksOf, owners: readonly string[]): string {
  const whose = [pipeline, topic, partition].filter((part) => part !== undefined).join('/')
  if (owners.length === 0) return `No rows of ${whose} are known, and none of any task of pipeline ${pipeline}`
  const more = owners.length > mostNamed ? ` and ${owners.length - mostNamed} more` : ''
  return `${whose} has no rows here; tasks that have written rows are ${owners.slice(0, mostNamed).join(', ')}${more}`
}

function lineOf(schema: string, { table, owner, to, rows }: OwnedRows, isForAnybody: boolean): string {
  const nobody = isForAnybody ? 'whoever writes them next, of whatever' : 'tasks that begin after this'
  const next = to === null ? nobody : ownerText(to)
  return `${schema}.${table}: ${countText(rows)} ${rows === 1 ? 'row' : 'rows'} of ${ownerText(owner)} to ${next}`
}
