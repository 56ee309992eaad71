import { dirname, join, resolve } from 'node:path'
import { feedCountsText } from '../../console/feedText.ts'
import { bytesText, countText, durationText } from '../../console/text.ts'
import { archiveLocation } from '../../host/openArchive.ts'
import { runningProcesses } from '../../host/processSlots.ts'
import { type RunReport, readRunReport } from '../../host/runReport.ts'
import type { DifferenceCount } from '../../queries/minuteDifferences.ts'
import type { OpenGapCount } from '../../queries/openGaps.ts'
import type { DataSetStatus, InputStatus, TaskStatus } from '../../queries/status.ts'
import { readStatus } from '../../queries/status.ts'
import { RetryableError } from '../../runtime/errors.ts'
import { shownText } from '../../runtime/shownText.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, dataSetName, withDatabase } from '../database.ts'
import { describeFailure, exitFailure, exitOk, oneLine } from '../exit.ts'
import { type KafkaStatus, kafkaText, readKafkaStatus, withLogEnd } from '../kafkaStatus.ts'
import { rangeText } from '../rangeText.ts'
import { eachSchema, lookedAt } from '../schemas.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'
import { version } from '../version.ts'
import { workText } from '../workText.ts'

interface Status {
  readonly version: string
  readonly dataDir: string
  readonly database: string | null
  /** Why the database could not be asked and what to do, or null. */
  readonly databaseProblem: string | null
  readonly archive: string
  readonly running: Running | null
  /** What else runs on the data folder: other pipelines, an ingest, named workers. */
  readonly others: readonly Running[]
  /** null without `KAFKA_BROKERS`. */
  readonly kafka: KafkaStatus | null
  readonly dataSets: readonly NamedStatus[]
}

interface NamedStatus extends DataSetStatus {
  /** As people call it. */
  readonly name: string
  readonly schema: string
}

interface Running {
  readonly pid: number
  readonly host: string
  /** null until the process has reported for the first time. */
  readonly report: RunReport | null
}

/** Prints what runs on the data folder and how far it is. Where the database does not answer it prints the rest, and gives 1. */
export async function status(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const collected = await collect(context)
  await output.out(
    settings.json ? `${JSON.stringify(collected, null, 2)}\n` : shownText(`${statusText(collected).join('\n')}\n`),
  )
  const problems = [collected.databaseProblem, collected.kafka?.problem ?? null].filter((text) => text !== null)
  for (const problem of problems) output.err(problem)
  return problems.length === 0 ? exitOk : exitFailure
}

async function collect(context: CommandContext): Promise<Status> {
  const { settings, output } = context
  const head = {
    version: version(),
    dataDir: resolve(settings.dataDir),
    archive: archiveLocation(settings.archive, settings.dataDir),
    ...runningOn(settings.dataDir),
    databaseProblem: null,
  }
  if (!databaseExists(settings))
    return {
      ...head,
      database: null,
      dataSets: [],
      kafka: await readKafkaStatus(settings, { leading: [], others: [] }),
    }
  try {
    return await withDatabase(settings, output.err, async (database) => {
      const dataSets = await eachSchema(database, settings.onlySchema, async (client, schema) => ({
        name: dataSetName(schema),
        schema,
        ...(await readStatus(client)),
      }))
      const tasks = dataSets.flatMap((one) => one.tasks)
      const kafka = await readKafkaStatus(settings, {
        leading: tasks.filter(({ logEnd }) => logEnd === null),
        others: elsewhere(tasks.flatMap(({ inputs }) => inputs)),
      })
      return {
        ...head,
        database: database.location,
        kafka,
        dataSets: dataSets.map((one) => ({ ...one, tasks: one.tasks.map((task) => withLogEnd(task, kafka)) })),
      }
    })
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error
    return { ...head, database: 'does not answer', databaseProblem: describeFailure(error), dataSets: [], kafka: null }
  }
}

/** The topics that the embedded log does not have. */
function elsewhere(inputs: readonly Pick<InputStatus, 'topic' | 'logEnd'>[]): readonly string[] {
  return inputs.filter(({ logEnd }) => logEnd === null).map(({ topic }) => topic)
}

function runningOn(dataDir: string): Pick<Status, 'running' | 'others'> {
  const all = runningProcesses(dataDir).map(({ folder, holder: { pid, host } }) => ({
    isMain: dirname(folder) === join(resolve(dataDir), 'pipelines'),
    process: { pid, host, report: readRunReport(folder, pid) },
  }))
  const main = all.find(({ isMain }) => isMain)
  return {
    running: main?.process ?? null,
    others: all.filter((one) => one !== main).map(({ process }) => process),
  }
}

function statusText(status: Status): readonly string[] {
  const lines = [
    ...(status.running === null && status.others.length === 0
      ? ['No pipeline runs on this data folder.']
      : [status.running, ...status.others].flatMap((one) => (one === null ? [] : runningText(one)))),
    `data folder  ${status.dataDir}`,
    `database     ${status.database ?? 'not made yet: the first run makes it'}`,
    `archive      ${status.archive}`,
  ]
  if (status.database !== null && status.databaseProblem === null && status.dataSets.length === 0) {
    lines.push('', `No pipeline has run: ${lookedAt([])}.`)
  }
  for (const dataSet of status.dataSets) lines.push(...dataSetText(dataSet))
  if (status.kafka !== null) lines.push(...kafkaText(status.kafka))
  return lines
}

function runningText(running: Running): readonly string[] {
  const { pid, host, report } = running
  const lines = [`A pipeline runs: process ${pid} on ${host}${report === null ? '' : `, ${report.source}`}.`]
  if (report === null) return lines
  lines.push(`  ${countText(report.records)} records since its start, ${countText(report.recordsPerS)} a second now`)
  if (report.waitingFor !== null) {
    const since = report.waitingSince === null ? '' : ` (since ${formatTime(report.waitingSince)})`
    lines.push(`  waiting for ${oneLine(report.waitingFor)}${since}`)
  }
  for (const { name, counts, troubles } of report.feeds) {
    lines.push(`  feed ${name}: ${feedCountsText(counts) ?? 'no gaps, no repeats, no reconnects'}`)
    for (const { what, since } of troubles) lines.push(`    ! ${oneLine(what)} (since ${formatTime(since)})`)
  }
  return report.work === null ? lines : [...lines, ...workText(report.work)]
}

function dataSetText(dataSet: NamedStatus): readonly string[] {
  const lines = ['', headingOf(dataSet)]
  if (dataSet.tasks.length === 0) lines.push('  nothing has run yet')
  else lines.push(...textTable(taskHeadings, dataSet.tasks.flatMap(taskRows), '  '))
  for (const log of dataSet.logs) {
    lines.push(
      `  log ${log.topic}: ${countText(log.records)} records in ${log.partitions} partitions, ${bytesText(log.bytes)}`,
    )
  }
  for (const archive of dataSet.archive) {
    lines.push(
      `  archive of ${archive.pipeline}, topic ${archive.topic}: ${countText(archive.objects)} objects, ${countText(archive.records)} records, ` +
        bytesText(archive.bytes),
    )
  }
  for (const { pipeline, topic, partition, outlet, waiting, refused, oldestAgeMs } of dataSet.outbox) {
    const aside = refused === 0 ? '' : `, ${countText(refused)} refused`
    const age = oldestAgeMs === null ? '' : `, the oldest for ${durationText(Math.max(0, oldestAgeMs))}`
    lines.push(
      `  outbox of ${pipeline}/${topic}/${partition}/${outlet}: ${countText(waiting)} to be sent${age}${aside}`,
    )
  }
  for (const gap of dataSet.openGaps) lines.push(`  ! ${openGapText(gap)}`)
  for (const difference of dataSet.differences) lines.push(`  ! ${differenceText(difference)}`)
  for (const range of dataSet.skipped) lines.push(`  ${rangeText(range)}`)
  if (dataSet.deadLetters.length === 0) lines.push('  no dead letters')
  for (const letters of dataSet.deadLetters) {
    const redriven = letters.redriven === 0 ? '' : `, ${countText(letters.redriven)} redriven`
    lines.push(
      `  dead letters of ${letters.pipeline}, topic ${letters.topic}, ${letters.reason}: ${countText(letters.waiting)} waiting${redriven}`,
    )
  }
  return lines
}

function openGapText({ market, symbol, gaps, missing, seenAt, fromTime, toTime, reason }: OpenGapCount): string {
  const which = gaps === 1 ? 'a gap is open' : `${countText(gaps)} gaps are open`
  return (
    `${symbol} (${market}): ${which}, ${countText(missing)} trades missing between ${formatTime(fromTime)} and ${formatTime(toTime)}, ` +
    `since ${formatTime(seenAt)}: ${oneLine(reason)}. Candles of that time are not complete; a running ingest fetches them.`
  )
}

function differenceText({ market, symbol, count, openTime, foundAt, verdict }: DifferenceCount): string {
  const which = count === 1 ? 'a candle differs' : `${countText(count)} candles differ`
  const oldest = count === 1 ? `of ${formatTime(openTime)}` : `the oldest of ${formatTime(openTime)}`
  return (
    `${symbol} (${market}): ${which} from the exchange's, ${oldest}, found ${formatTime(foundAt)}: ` +
    `${verdict === null ? 'nobody has looked into it yet' : oneLine(verdict)}. See millrace reconcile.`
  )
}

function headingOf({ name, schema }: NamedStatus): string {
  if (schema === 'simulated') return 'Data set simulated: INVENTED prices'
  return name === schema ? `Data set ${name}` : `Data set ${name} (schema ${schema})`
}

const taskHeadings = [
  'pipeline',
  'topic',
  'part',
  'next offset',
  'lag',
  'watermark',
  'checkpoint',
  'state',
  'archive lag',
  'generation',
  'owner',
]

/** A line for the task, with its leading input, and one for each further input. */
function taskRows(task: TaskStatus): readonly (readonly string[])[] {
  return [taskCells(task), ...task.inputs.map(inputCells)]
}

function inputCells(input: InputStatus): readonly string[] {
  return [
    '',
    `+ ${input.topic}`,
    String(input.partition),
    String(input.nextOffset),
    input.lagRecords === null ? '-' : countText(input.lagRecords),
    '',
    '',
    '',
    input.archiveLagRecords === null ? '-' : countText(input.archiveLagRecords),
    '',
    '',
  ]
}

function taskCells(task: TaskStatus): readonly string[] {
  return [
    task.pipeline,
    task.topic,
    String(task.partition),
    task.nextOffset === null ? '-' : String(task.nextOffset),
    task.lagRecords === null ? '-' : countText(task.lagRecords),
    task.watermark ?? '-',
    task.checkpointAgeMs === null ? '-' : `${durationText(Math.max(0, task.checkpointAgeMs))} ago`,
    bytesText(task.stateBytes),
    task.archiveLagRecords === null ? '-' : countText(task.archiveLagRecords),
    String(task.generation),
    task.owner === '' ? '-' : task.owner,
  ]
}
