import { userInfo } from 'node:os'
import type pg from 'pg'
import { countText } from '../../console/text.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import {
  type DecidedRange,
  type StandingTask,
  type StoredRange,
  standingTasks,
  storedRanges,
  storeRange,
} from '../../sinks/postgres/skippedRanges.ts'
import type { CommandContext } from '../commandContext.ts'
import { type Database, databaseExists, withDatabase } from '../database.ts'
import { printable } from '../deadLetterFormat.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { eachSchema, lookedAt } from '../schemas.ts'
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

const headings = ['schema', 'pipeline', 'topic', 'part', 'from', 'to', 'what', 'when', 'who', 'why']

function rangeRow(range: StoredRange & { readonly schema: string }): readonly string[] {
  const { schema, pipeline, inputTopic, partition, fromOffset, toOffset, kind, decidedAt, decidedBy, reason } = range
  const offsets = [String(partition), String(fromOffset), String(toOffset)]
  return [
    schema,
    pipeline,
    inputTopic,
    ...offsets,
    kind,
    formatTime(decidedAt),
    printable(decidedBy),
    printable(reason),
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
    const { client, schema, task } = await taskOf(database, settings.onlySchema, wanted)
    const range = rangeOf(task, wanted, isLoss)
    await output.out(`${planText(range, schema, task)}\n`)
    if (!settings.yes) {
      output.err('Nothing was changed; --yes does it.')
      return exitOk
    }
    await storeRange(client, range)
    await output.out('Stored. It holds from the next start of the pipeline; `millrace status` shows it.\n')
    return exitOk
  })
}

interface Wanted {
  readonly pipeline: string
  readonly topic: string
  readonly partition: number
  readonly fromOffset: number | undefined
  readonly toOffset: number
  readonly because: string
}

function wantedOf(settings: SettingValues): Wanted {
  const { pipeline, topic, partition, fromOffset, toOffset, because } = settings
  if (pipeline === undefined) throw new UsageError('--pipeline is missing; name the pipeline.')
  if (topic === undefined) throw new UsageError('--topic is missing; name the topic that the offsets are of.')
  if (partition === undefined) throw new UsageError('--partition is missing; offsets are those of one partition.')
  if (toOffset === undefined) throw new UsageError('--to-offset is missing; name the first offset to go on with.')
  if (because === undefined) throw new UsageError('--because is missing; say why, for whoever finds the gap later.')
  return { pipeline, topic, partition, fromOffset, toOffset, because }
}

interface FoundTask {
  readonly client: pg.Client
  readonly schema: string
  readonly task: StandingTask
}

/** The one task of the pipeline that reads the topic. */
async function taskOf(database: Database, only: string | undefined, wanted: Wanted): Promise<FoundTask> {
  const { pipeline, topic, partition } = wanted
  const schemas: string[] = []
  const found = await eachSchema(database, only, async (client, schema) => {
    schemas.push(schema)
    return (await standingTasks(client, pipeline, partition)).map((task) => ({ client, schema, task }))
  })
  const tasks = found.flat()
  const matching = tasks.filter(({ task }) => task.inputTopic === topic)
  const [one, ...more] = matching.length > 0 ? matching : tasks.flatMap(asNewInput(topic))
  if (one === undefined) {
    throw new ConfigurationError(
      `pipeline ${pipeline} has not run on partition ${partition} (${lookedAt(schemas)}): start it once, so that it is known what it reads.`,
      { pipeline, topic, partition },
    )
  }
  if (more.length === 0) return one
  const places = [one, ...more].map(({ schema, task }) => `${task.topic} in schema ${schema}`).join(', ')
  throw new ConfigurationError(
    `several tasks of pipeline ${pipeline} may be meant (led by ${places}): name the schema with --schema.`,
    { pipeline, topic, partition },
  )
}

/** An input in which nothing was committed yet is known by its task alone. */
function asNewInput(topic: string): (found: FoundTask) => readonly FoundTask[] {
  return ({ client, schema, task }) =>
    task.inputTopic === task.topic
      ? [{ client, schema, task: { ...task, inputTopic: topic, nextOffset: null, archiveNextOffset: null } }]
      : []
}

function rangeOf(task: StandingTask, wanted: Wanted, isLoss: boolean): DecidedRange {
  const { nextOffset, archiveNextOffset } = task
  const { toOffset } = wanted
  const stands = Math.min(nextOffset ?? 0, archiveNextOffset ?? nextOffset ?? 0)
  const decided = { ...placeOf(task), decidedBy: whoami(), reason: wanted.because }
  if (isLoss && nextOffset !== null && toOffset < nextOffset) {
    return { ...decided, kind: 'rewind', fromOffset: toOffset, toOffset: nextOffset }
  }
  const fromOffset = wanted.fromOffset ?? stands
  if (toOffset <= fromOffset) {
    throw new UsageError(
      `--to-offset ${toOffset} is not behind ${fromOffset}, where that begins; ` +
        'what is processed is not processed again: drop the state of the pipeline for that (`millrace state drop`).',
    )
  }
  return { ...decided, kind: isLoss ? 'loss' : 'skip', fromOffset, toOffset }
}

function placeOf({ pipeline, topic, partition, inputTopic, inputPartition }: StandingTask) {
  return { pipeline, topic, partition, inputTopic, inputPartition }
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

function whoami(): string {
  return userInfo().username
}
