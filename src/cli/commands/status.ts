import { resolve } from 'node:path'
import { bytesText, countText, durationText } from '../../console/text.ts'
import { RetryableError } from '../../runtime/errors.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, dataSetNames, eachDataSet, withDatabase } from '../database.ts'
import { describeFailure, exitFailure, exitOk, oneLine } from '../exit.ts'
import { archiveLocation } from '../run/openArchive.ts'
import { type RunReport, readRunReport } from '../run/runReport.ts'
import { runHolder } from '../runHolder.ts'
import type { DataSetStatus, TaskStatus } from '../statusQueries.ts'
import { readStatus } from '../statusQueries.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'
import { version } from '../version.ts'

interface Status {
  readonly version: string
  readonly dataDir: string
  readonly database: string | null
  /** Why the database could not be asked and what to do, or null. */
  readonly databaseProblem: string | null
  readonly archive: string
  readonly running: Running | null
  readonly dataSets: readonly (DataSetStatus & { readonly name: string })[]
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
  await output.out(settings.json ? `${JSON.stringify(collected, null, 2)}\n` : `${statusText(collected).join('\n')}\n`)
  if (collected.databaseProblem === null) return exitOk
  output.err(collected.databaseProblem)
  return exitFailure
}

async function collect(context: CommandContext): Promise<Status> {
  const { settings, output } = context
  const head = {
    version: version(),
    dataDir: resolve(settings.dataDir),
    archive: archiveLocation(settings),
    running: runningOn(settings.dataDir),
    databaseProblem: null,
  }
  if (!databaseExists(settings)) return { ...head, database: null, dataSets: [] }
  try {
    return await withDatabase(settings, output.err, async (database) => {
      const dataSets = await eachDataSet(database, async (client, dataSet) => ({
        name: dataSetNames[dataSet],
        ...(await readStatus(client)),
      }))
      return { ...head, database: database.location, dataSets }
    })
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error
    return { ...head, database: 'does not answer', databaseProblem: describeFailure(error), dataSets: [] }
  }
}

function runningOn(dataDir: string): Running | null {
  const holder = runHolder(dataDir)
  return holder === null ? null : { pid: holder.pid, host: holder.host, report: readRunReport(dataDir, holder.pid) }
}

function statusText(status: Status): readonly string[] {
  const lines = [
    ...runningText(status.running),
    `data folder  ${status.dataDir}`,
    `database     ${status.database ?? 'not made yet: start `millrace run realtime`'}`,
    `archive      ${status.archive}`,
  ]
  for (const dataSet of status.dataSets) lines.push(...dataSetText(dataSet))
  return lines
}

function runningText(running: Running | null): readonly string[] {
  if (running === null) return ['No pipeline runs on this data folder.']
  const { pid, host, report } = running
  const lines = [`A pipeline runs: process ${pid} on ${host}${report === null ? '' : `, ${report.source}`}.`]
  if (report === null) return lines
  lines.push(`  ${countText(report.records)} records since its start, ${countText(report.recordsPerS)} a second now`)
  if (report.waitingFor !== null) {
    const since = report.waitingSince === null ? '' : ` (since ${formatTime(report.waitingSince)})`
    lines.push(`  waiting for ${oneLine(report.waitingFor)}${since}`)
  }
  return lines
}

function dataSetText(dataSet: DataSetStatus & { readonly name: string }): readonly string[] {
  const lines = ['', dataSet.name === 'simulated' ? 'Data set simulated: INVENTED prices' : `Data set ${dataSet.name}`]
  if (dataSet.tasks.length === 0) lines.push('  nothing has run yet')
  else lines.push(...textTable(taskHeadings, dataSet.tasks.map(taskCells), '  '))
  for (const log of dataSet.logs) {
    lines.push(
      `  log ${log.topic}: ${countText(log.records)} records in ${log.partitions} partitions, ${bytesText(log.bytes)}`,
    )
  }
  for (const archive of dataSet.archive) {
    lines.push(
      `  archive of ${archive.topic}: ${countText(archive.objects)} objects, ${countText(archive.records)} records, ` +
        bytesText(archive.bytes),
    )
  }
  if (dataSet.deadLetters.length === 0) lines.push('  no dead letters')
  for (const letters of dataSet.deadLetters) {
    const redriven = letters.redriven === 0 ? '' : `, ${countText(letters.redriven)} redriven`
    lines.push(
      `  dead letters of ${letters.topic}, ${letters.reason}: ${countText(letters.waiting)} waiting${redriven}`,
    )
  }
  return lines
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
]

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
  ]
}
