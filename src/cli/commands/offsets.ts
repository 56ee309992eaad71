import type pg from 'pg'
import { countText } from '../../console/text.ts'
import { findTopic } from '../../host/foundTopic.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { shownText } from '../../runtime/shownText.ts'
import { suggest } from '../../runtime/suggest.ts'
import {
  type DecidedRange,
  requireUnused,
  type StandingTask,
  type StoredRange,
  standingTasks,
  storedRanges,
  storeRanges,
  takeRangesBack,
} from '../../sinks/postgres/skippedRanges.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { type Database, databaseExists, withDatabase } from '../database.ts'
import { printable } from '../deadLetterFormat.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { kafkaConnection } from '../kafkaConnection.ts'
import { decidedRange, type FoundPlace, type WantedRange, whoami } from '../offsets/decidedRange.ts'
import { eachSchema, lookedAt, nearPipeline } from '../schemas.ts'
import type { SettingValues } from '../settings.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'

const noDatabase = 'There is no database yet, hence no pipeline that stands anywhere.'

/** Has a pipeline leave out offsets of an input, with `--yes`; else says what that would be. */
export function skipOffsets(context: CommandContext): Promise<number> {
  return decide(context, false)
}

/** Has a pipeline go on though its log no longer has what comes next, with `--yes`; else says what that would be. */
export function acceptLoss(context: CommandContext): Promise<number> {
  return decide(context, true)
}

/** Prints what was decided about offsets, oldest first. */
export async function listOffsets({ settings, output }: CommandContext): Promise<number> {
  const schemas: string[] = []
  const found = databaseExists(settings)
    ? await withDatabase(settings, output.err, (database) =>
        eachSchema(database, settings.onlySchema, async (client, schema) => {
          schemas.push(schema)
          return (await storedRanges(client)).map((range) => ({ schema, ...range }))
        }),
      )
    : []
  const ranges = found
    .flat()
    .filter(({ pipeline }) => settings.pipeline === undefined || settings.pipeline === pipeline)
  if (settings.json) await output.out(`${JSON.stringify(ranges, null, 2)}\n`)
  else if (ranges.length > 0) await output.out(`${textTable(headings, ranges.map(rangeRow)).join('\n')}\n`)
  if (ranges.length === 0) output.err(`Nothing was decided about offsets (${lookedAt(schemas)}).`)
  return exitOk
}

const headings = ['schema', 'pipeline', 'topic', 'part', 'from', 'to', 'what', 'when', 'who', 'why', 'taken back by']

function rangeRow(range: StoredRange & { readonly schema: string }): readonly string[] {
  const {
    schema,
    pipeline,
    inputTopic,
    inputPartition,
    fromOffset,
    toOffset,
    kind,
    decidedAt,
    decidedBy,
    reason,
    takenBackBy,
  } = range
  const offsets = [String(inputPartition), String(fromOffset), String(toOffset)]
  return [
    schema,
    pipeline,
    inputTopic,
    ...offsets,
    kind,
    formatTime(decidedAt),
    printable(decidedBy),
    printable(reason),
    takenBackBy === null ? '-' : printable(takenBackBy),
  ]
}

async function decide(context: CommandContext, isLoss: boolean): Promise<number> {
  const { settings, output } = context
  const wanted = wantedOf(settings)
  if (!databaseExists(settings)) {
    output.err(noDatabase)
    return exitFailure
  }
  return withDatabase(settings, output.err, async (database) => {
    const tasks = concerned(await tasksOf(context, database, wanted), wanted)
    const ranges = tasks.map(({ task, found }) => decidedRange(task, wanted, isLoss, found))
    const [range, { client, schema, found }] = [ranges[0]!, tasks[0]!]
    for (const [i, { task }] of tasks.entries()) {
      const which = tasks.length === 1 ? '' : `task ${task.topic}/${task.partition}: `
      await output.out(shownText(`${which}${planText(ranges[i]!, schema, task)}\n`))
    }
    if (found === null)
      output.err(
        `warning: ${wanted.topic} is not in the embedded log and KAFKA_BROKERS is not set, so nobody has looked whether it has these offsets. Where it ends before ${range.toOffset}, every start will fail until that is taken back.`,
      )
    if (!settings.yes) {
      output.err('Nothing was changed; --yes does it.')
      return exitOk
    }
    await storeRanges(client, ranges)
    await output.out(
      `Stored. It holds from the next start of the pipeline; \`${commandFor(context, 'status')}\` shows it.\n`,
    )
    if (range.kind !== 'rewind')
      output.err(`Until then it can be taken back: ${commandFor(context, `offsets unskip ${placeFlags(range)}`)}`)
    return exitOk
  })
}

/** Takes back what was decided about offsets and has had no effect yet, with `--yes`; else says what that would be. */
export async function unskipOffsets(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const { pipeline, topic, partition } = placeOf(settings)
  if (!databaseExists(settings)) {
    output.err(noDatabase)
    return exitFailure
  }
  return withDatabase(settings, output.err, async (database) => {
    const schemas: string[] = []
    const found = await eachSchema(database, settings.onlySchema, async (client, schema) => {
      schemas.push(schema)
      const ranges = (await storedRanges(client)).filter(
        (range) =>
          range.takenBackBy === null &&
          range.pipeline === pipeline &&
          range.inputTopic === topic &&
          range.inputPartition === partition &&
          (settings.fromOffset === undefined || settings.fromOffset === range.fromOffset),
      )
      return ranges.map((range) => ({ client, schema, range }))
    })
    const all = found.flat()
    const [one] = all
    // What every task reads whole was decided about for each of them.
    const isSame = (other: (typeof all)[number]) =>
      other.schema === one?.schema &&
      other.range.topic === one.range.topic &&
      other.range.toOffset === one.range.toOffset &&
      other.range.partition !== one.range.partition
    const same = all.filter((other) => other === one || isSame(other))
    const more = all.filter((other) => !same.includes(other))
    if (one === undefined) {
      output.err(
        `Nothing that holds was decided about offsets of ${topic}/${partition} for pipeline ${pipeline} (${lookedAt(schemas)}); \`${commandFor(context, 'offsets list')}\` shows what was.`,
      )
      return exitFailure
    }
    if (more.length > 0) {
      const ranges = [one, ...more].map(({ schema, range }) => `from ${range.fromOffset} (schema ${schema})`).join(', ')
      throw new UsageError(`several decisions may be meant, ${ranges}: name one with --from-offset, or the schema.`)
    }
    const { client, schema, range } = one
    const tasks = await standingTasks(client, pipeline, partition)
    for (const { range } of same) {
      const task = tasks.find(
        (one) =>
          one.topic === range.topic &&
          one.partition === range.partition &&
          one.inputTopic === topic &&
          one.inputPartition === partition,
      )
      requireUnused(range, task?.nextOffset ?? null)
    }
    const { fromOffset, toOffset } = range
    await output.out(
      shownText(
        `pipeline ${pipeline} (schema ${schema}), ${topic}/${partition}: offsets ${fromOffset} to ${toOffset - 1} are read again; that they are not was decided by ${range.decidedBy}: ${range.reason}\n`,
      ),
    )
    if (!settings.yes) {
      output.err('Nothing was changed; --yes does it.')
      return exitOk
    }
    await takeRangesBack(
      client,
      same.map(({ range }) => range),
      whoami(),
    )
    await output.out('Taken back. A worker that runs the pipeline is fenced: start it again.\n')
    return exitOk
  })
}

function placeFlags({ pipeline, inputTopic, inputPartition, fromOffset }: DecidedRange): string {
  return `--pipeline ${pipeline} --topic ${inputTopic} --partition ${inputPartition} --from-offset ${fromOffset}`
}

function placeOf(settings: SettingValues) {
  const { pipeline, topic, partition } = settings
  if (pipeline === undefined) throw new UsageError('--pipeline is missing; name the pipeline.')
  if (topic === undefined) throw new UsageError('--topic is missing; name the topic that the offsets are of.')
  if (partition === undefined) throw new UsageError('--partition is missing; offsets are those of one partition.')
  return { pipeline, topic, partition }
}

function wantedOf(settings: SettingValues): WantedRange {
  const { fromOffset, toOffset, because } = settings
  const place = placeOf(settings)
  if (toOffset === undefined) throw new UsageError('--to-offset is missing; name the first offset to go on with.')
  if (because === undefined) throw new UsageError('--because is missing; say why, for whoever finds the gap later.')
  return { ...place, fromOffset, toOffset, because }
}

interface FoundTask {
  readonly client: pg.Client
  readonly schema: string
  readonly task: StandingTask
  /** What the log has of the partition; null where it could not be asked. */
  readonly found: FoundPlace | null
}

/** Those of several tasks that read the same that have not gone past; all where each has. */
function concerned(tasks: readonly FoundTask[], { toOffset }: WantedRange): readonly FoundTask[] {
  const behind = tasks.filter(({ task }) => task.nextOffset === null || task.nextOffset < toOffset)
  return behind.length === 0 ? tasks : behind
}

/** The task of the pipeline that reads the partition of the topic; all of them where each does, as of a table with `partitions: 'all'`. */
async function tasksOf(
  { settings }: CommandContext,
  database: Database,
  wanted: WantedRange,
): Promise<readonly FoundTask[]> {
  const { pipeline, topic, partition } = wanted
  const schemas: string[] = []
  const all = await eachSchema(database, settings.onlySchema, async (client, schema) => {
    schemas.push(schema)
    return (await standingTasks(client, pipeline, partition)).map((task) => ({ client, schema, task }))
  })
  const tasks = all.flat()
  const place = { pipeline, topic, partition }
  if (tasks.length === 0) {
    throw new ConfigurationError(
      `pipeline ${pipeline} has not run on partition ${partition} (${lookedAt(schemas)})${await nearPipeline(database, settings.onlySchema, pipeline)}: start it once, so that it is known what it reads.`,
      place,
    )
  }
  const matching = tasks.filter(({ task }) => task.inputTopic === topic)
  const known = matching.length > 0
  const possible: FoundTask[] = []
  const names = new Set(tasks.map(({ task }) => task.inputTopic))
  for (const one of known ? matching : tasks.filter(({ task }) => task.inputTopic === task.topic)) {
    const log = await findTopic(one.client, kafkaConnection(settings), topic)
    for (const name of log?.names ?? []) names.add(name)
    // Of a topic that it has read and that nobody can look up, the pipeline itself is the witness.
    if (log === null || (log.partitions === null && known && settings.kafkaBrokers === undefined)) {
      if (known) possible.push({ ...one, found: null })
      continue
    }
    if (log.partitions === null) continue
    const found = log.partitions.find((other) => other.partition === partition)
    if (found === undefined) {
      throw new ConfigurationError(
        `topic ${topic} has partitions 0 to ${log.partitions.length - 1}, and no ${partition}.`,
        place,
      )
    }
    possible.push({
      ...one,
      task: known ? one.task : newInput(one.task, topic),
      found: { ...found, isEmbedded: log.isEmbedded },
    })
  }
  const [one, ...more] = possible
  if (one === undefined) {
    const read = [...new Set(tasks.map(({ task }) => task.inputTopic))].join(', ')
    throw new ConfigurationError(
      `pipeline ${pipeline} has read ${read}, and there is no topic ${topic}${suggest(topic, [...names])}. Nothing was decided.`,
      place,
    )
  }
  const isShared = ({ schema, task }: FoundTask) =>
    schema === one.schema && task.topic === one.task.topic && task.partition !== one.task.partition
  if (more.every(isShared)) return possible
  const places = [one, ...more].map(({ schema, task }) => `${task.topic} in schema ${schema}`).join(', ')
  throw new ConfigurationError(
    `several tasks of pipeline ${pipeline} may be meant (led by ${places}): name the schema with --schema.`,
    place,
  )
}

/** An input in which nothing was committed yet is known by its task alone. */
function newInput(task: StandingTask, topic: string): StandingTask {
  return { ...task, inputTopic: topic, nextOffset: null, archiveNextOffset: null }
}

function planText(range: DecidedRange, schema: string, { nextOffset }: StandingTask): string {
  const { pipeline, inputTopic, inputPartition, fromOffset, toOffset, kind } = range
  const where = `pipeline ${pipeline} (schema ${schema}), ${inputTopic}/${inputPartition}`
  const stands = nextOffset === null ? 'has committed nothing there' : `stands at offset ${nextOffset}`
  const count = countText(toOffset - fromOffset)
  if (kind === 'rewind') {
    return `${where} ${stands} and goes back to ${fromOffset}: the log lost ${count} offsets, whose records have had their effect. What the operators hold stays.`
  }
  const what =
    kind === 'loss' ? 'are given up as lost' : 'are left out for good; the archive keeps those that can be read'
  return `${where} ${stands}: offsets ${fromOffset} to ${toOffset - 1} (${count}) ${what}.`
}
