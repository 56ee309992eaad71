import { feedCountsText } from '../../console/feedText.ts'
import { bytesText, countText, durationText } from '../../console/text.ts'
import type { DifferenceCount } from '../../queries/minuteDifferences.ts'
import type { OpenGapCount } from '../../queries/openGaps.ts'
import type { InputStatus, TaskStatus } from '../../queries/status.ts'
import { shownText } from '../../runtime/shownText.ts'
import { collectStatus, type NamedStatus, type Running, type Status } from '../collectStatus.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitFailure, exitOk, oneLine } from '../exit.ts'
import { kafkaText } from '../kafkaStatus.ts'
import { rangeText } from '../rangeText.ts'
import { lookedAt } from '../schemas.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'
import { workText } from '../workText.ts'

/** Prints what runs on the data folder and how far it is. Where the database does not answer it prints the rest, and gives 1. */
export async function status(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const collected = await collectStatus(context)
  await output.out(
    settings.json ? `${JSON.stringify(collected, null, 2)}\n` : shownText(`${statusText(collected).join('\n')}\n`),
  )
  const problems = [collected.databaseProblem, collected.kafka?.problem ?? null].filter((text) => text !== null)
  for (const problem of problems) output.err(problem)
  return problems.length === 0 ? exitOk : exitFailure
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
  for (const { kind, keepMs, ranAt, deletedRows } of dataSet.retention)
    lines.push(
      `  ${kind} kept for ${durationText(keepMs)}: ${countText(deletedRows)} older rows deleted so far, looked at ${formatTime(ranAt)}`,
    )
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
  const what = missing === 0 ? 'and whether trades are missing is not known' : `${countText(missing)} trades missing`
  return (
    `${symbol} (${market}): ${which}, ${what} between ${formatTime(fromTime)} and ${formatTime(toTime)}, ` +
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
