import type pg from 'pg'
import { bytesText, countText } from '../../console/text.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { shownText } from '../../runtime/shownText.ts'
import type { OperatorInventory } from '../../runtime/state/stateInventory.ts'
import { suggest } from '../../runtime/suggest.ts'
import { atOneMoment, inventoryOf, type SavedTask, savedTasks } from '../../sinks/postgres/savedTasks.ts'
import { copyState as copy } from '../../sinks/postgres/stateCopies.ts'
import { dropState as drop, dropOperatorState, keptBeside } from '../../sinks/postgres/stateDrops.ts'
import type { CommandContext } from '../commandContext.ts'
import { type Database, databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { eachSchema, lookedAt, nearPipeline } from '../schemas.ts'
import { textTable } from '../textTable.ts'

interface ListedTask extends SavedTask {
  readonly schema: string
  readonly operators: readonly OperatorInventory[]
}

const noDatabase = 'There is no database yet, hence no state.'

/** Prints what pipelines keep: for each task the operators with their version, options, keys and bytes. */
export async function listState(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const schemas: string[] = []
  const tasks = databaseExists(settings)
    ? await withDatabase(settings, output.err, (database) =>
        eachSchema(database, settings.onlySchema, async (client, schema) => {
          schemas.push(schema)
          return listOf(client, schema, settings.pipeline ?? null)
        }),
      )
    : []
  const listed = tasks.flat()
  await output.out(settings.json ? `${JSON.stringify(listed, null, 2)}\n` : shownText(listText(listed)))
  if (listed.length === 0) {
    const whose = settings.pipeline === undefined ? 'No pipeline' : `No pipeline ${settings.pipeline}`
    output.err(`${whose} has a checkpoint (${lookedAt(schemas)}).`)
  }
  return exitOk
}

function listOf(client: pg.Client, schema: string, pipeline: string | null): Promise<readonly ListedTask[]> {
  return atOneMoment(client, async () => {
    const listed: ListedTask[] = []
    for (const task of await savedTasks(client, pipeline)) {
      listed.push({ schema, ...task, operators: (await inventoryOf(client, task)).operators })
    }
    return listed
  })
}

const headings = ['schema', 'pipeline', 'topic', 'part', 'next offset', 'operator', 'version', 'keys', 'bytes', 'shape']

function listText(tasks: readonly ListedTask[]): string {
  if (tasks.length === 0) return ''
  const rows = tasks.flatMap(({ schema, pipeline, topic, partition, nextOffset, operators }) => {
    const task = [schema, pipeline, topic, String(partition), String(nextOffset)]
    if (operators.length === 0) return [[...task, '-']]
    return operators.map(({ name, version, keys, bytes, shape }, i) => [
      ...(i === 0 ? task : task.map(() => '')),
      ...[name, String(version), countText(keys), bytesText(bytes)],
      shape === null ? '-' : JSON.stringify(shape),
    ])
  })
  return `${textTable(headings, rows).join('\n')}\n`
}

/** Copies the state of a pipeline under another name. */
export async function copyState(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const { fromPipeline: from, toPipeline: to } = settings
  if (from === undefined) throw new UsageError('--from-pipeline is missing; name the pipeline whose state is copied.')
  if (to === undefined)
    throw new UsageError('--to-pipeline is missing; name the pipeline that is to go on with the copy.')
  if (!databaseExists(settings)) return failed(context, noDatabase)
  return withDatabase(settings, output.err, async (database) => {
    const found = await schemaOf(database, settings.onlySchema, from)
    if (typeof found === 'string') return failed(context, found)
    const { tasks, bytes, unsent, rows, tables } = await copy(found.client, from, to, settings.withRows)
    await output.out(
      `${from} is copied to ${to} in schema ${found.schema}: ${counted(tasks, 'task')}, ${bytesText(bytes)} of state${settings.withRows ? `, ${counted(rows, 'row')} of its upsert tables` : ''}.\n`,
    )
    if (tables.length > 0 && !settings.withRows)
      output.err(
        `The rows of ${tables.join(', ')} stay those of ${from}. Where ${to} is to go on with them: millrace state own --of ${from} --to ${to}`,
      )
    if (unsent > 0)
      output.err(
        `${counted(unsent, 'message')} of ${from} ${unsent === 1 ? 'is' : 'are'} not sent yet and not copied: ${from} sends them when it runs.`,
      )
    return exitOk
  })
}

/** Drops the state of a pipeline or of one operator, with `--yes`; else says what that would be. */
export async function dropState(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const { pipeline, operator, topic = null } = settings
  if (pipeline === undefined) throw new UsageError('--pipeline is missing; name the pipeline whose state is dropped.')
  if (!databaseExists(settings)) return failed(context, noDatabase)
  return withDatabase(settings, output.err, async (database) => {
    const found = await schemaOf(database, settings.onlySchema, pipeline)
    if (typeof found === 'string') return failed(context, found)
    const { client, schema } = found
    const what = await planOf(client, pipeline, topic, operator)
    if (typeof what === 'string') return failed(context, what)
    await output.out(
      `${[`of pipeline ${pipeline}${topic === null ? '' : ` on topic ${topic}`} in schema ${schema}:`, ...what].join('\n')}\n`,
    )
    if (!settings.yes) {
      output.err('Nothing was dropped; --yes drops it.')
      return exitOk
    }
    const tasks =
      operator === undefined
        ? await drop(client, pipeline, topic)
        : await dropOperatorState(client, pipeline, topic, operator)
    await output.out(`Dropped in ${counted(tasks, 'task')}. A worker that runs it still is fenced.\n`)
    return exitOk
  })
}

/** What would go, and what would stay; or why there is nothing. */
function planOf(
  client: pg.Client,
  pipeline: string,
  topic: string | null,
  operator: string | undefined,
): Promise<readonly string[] | string> {
  return atOneMoment(client, async () => {
    const all = await savedTasks(client, pipeline)
    const tasks = all.filter((task) => topic === null || task.topic === topic)
    if (topic !== null && tasks.length === 0) {
      const topics = [...new Set(all.map((task) => task.topic))]
      return `Pipeline ${pipeline} has no checkpoint on topic ${topic}${suggest(topic, topics)}; it has some on ${topics.join(', ')}.`
    }
    const operators = new Map<string, { keys: number; bytes: number }>()
    const sent = new Map<string, number>()
    for (const task of tasks) {
      const inventory = await inventoryOf(client, task)
      for (const { name, keys, bytes } of inventory.operators) {
        const sum = operators.get(name) ?? { keys: 0, bytes: 0 }
        operators.set(name, { keys: sum.keys + keys, bytes: sum.bytes + bytes })
      }
      for (const [outlet, count] of inventory.sent) sent.set(outlet, Math.max(sent.get(outlet) ?? 0, count))
    }
    if (operator !== undefined) {
      const held = operators.get(operator)
      if (held !== undefined) return [lineOf(operator, held), partialRows]
      const known = operators.size === 0 ? 'none has' : `these have: ${[...operators.keys()].join(', ')}`
      return `Operator ${operator} of pipeline ${pipeline} has no saved state; ${known}.`
    }
    const beside = await keptBeside(client, pipeline, topic)
    const { unsent, deadLetters, redriven, archiveObjects, decisions, answers } = beside
    return [
      `  drop   where it stands in ${counted(tasks.length, 'task')}`,
      ...[...operators].map(([name, held]) => lineOf(name, held)),
      ...(unsent === 0 ? [] : [`  drop   ${counted(unsent, 'message')} that no destination has got yet`]),
      ...(deadLetters === 0 ? [] : [`  keep   ${counted(deadLetters, 'dead letter')}`]),
      ...(archiveObjects === 0 ? [] : [`  keep   the archive: ${counted(archiveObjects, 'object')}`]),
      ...(decisions === 0
        ? []
        : [
            `  keep   ${counted(decisions, 'decision')} about offsets that are left out (offsets list; offsets unskip takes them back)`,
          ]),
      ...(answers === 0
        ? []
        : [
            `  keep   ${counted(answers, 'recorded answer')}, which the next run takes instead of asking (--operator NAME drops those of one lookup)`,
          ]),
      '  keep   the rows of its tables',
      partialRows,
      ...(redriven === 0
        ? []
        : [
            `  note   ${counted(redriven, 'record')} of dead letters ${redriven === 1 ? 'was' : 'were'} redriven, and ${redriven === 1 ? 'is' : 'are'} in the topic twice: what is not set aside this time counts twice, unless a dedupe stands below what had set it aside: begin anew under another name, which passes the second ones over`,
          ]),
      ...[...sent].map(
        ([outlet, count]) =>
          `  note   outlet ${outlet} has numbered its messages up to ${countText(count)}; destinations know them by these numbers and may take new ones for sent: begin anew under another name`,
      ),
    ]
  })
}

const partialRows =
  '  note   a row for which values come again, such as that of a window that is open, is made of those alone: of what the log still holds from where it begins'

function lineOf(operator: string, { keys, bytes }: { readonly keys: number; readonly bytes: number }): string {
  return `  drop   operator ${operator}: ${countText(keys)} keys, ${bytesText(bytes)}`
}

/** The one schema in which the pipeline has committed, or why there is none. */
async function schemaOf(
  database: Database,
  only: string | undefined,
  pipeline: string,
): Promise<{ readonly client: pg.Client; readonly schema: string } | string> {
  const looked: string[] = []
  const found = await eachSchema(database, only, async (client, schema) => {
    looked.push(schema)
    return (await savedTasks(client, pipeline)).length === 0 ? null : { client, schema }
  })
  const [one, ...more] = found.filter((place) => place !== null)
  if (one === undefined)
    return `Pipeline ${pipeline} has no checkpoint (${lookedAt(looked)})${await nearPipeline(database, only, pipeline)}.`
  if (more.length === 0) return one
  const names = [one, ...more].map(({ schema }) => schema).join(', ')
  throw new ConfigurationError(`pipeline ${pipeline} is in schemas ${names}: name one of them with --schema.`)
}

function failed({ output }: CommandContext, why: string): number {
  output.err(why)
  return exitFailure
}

function counted(count: number, what: string): string {
  return `${countText(count)} ${what}${count === 1 ? '' : 's'}`
}
