import { resolve } from 'node:path'
import { bytesText, countText, durationText } from '../../console/text.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, dataSetNames, eachDataSet, withDatabase } from '../database.ts'
import { exitOk } from '../exit.ts'
import { runHolder } from '../runHolder.ts'
import type { DataSetStatus, TaskStatus } from '../statusQueries.ts'
import { readStatus } from '../statusQueries.ts'
import { textTable } from '../textTable.ts'
import { version } from '../version.ts'

interface Status {
  readonly version: string
  readonly dataDir: string
  readonly database: string | null
  readonly archive: string
  readonly running: { readonly pid: number; readonly host: string } | null
  readonly dataSets: readonly (DataSetStatus & { readonly name: string })[]
}

/** Prints what runs on the data folder and how far it is. */
export async function status(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const collected = await collect(context)
  await output.out(settings.json ? `${JSON.stringify(collected, null, 2)}\n` : `${statusText(collected).join('\n')}\n`)
  return exitOk
}

async function collect(context: CommandContext): Promise<Status> {
  const { settings, output } = context
  const holder = runHolder(settings.dataDir)
  const head = {
    version: version(),
    dataDir: resolve(settings.dataDir),
    archive: settings.archive === 'directory' ? resolve(settings.dataDir, 'archive') : settings.archive,
    running: holder === null ? null : { pid: holder.pid, host: holder.host },
  }
  if (!databaseExists(settings)) return { ...head, database: null, dataSets: [] }
  return withDatabase(settings, output.err, async (database) => {
    const dataSets = await eachDataSet(database, async (client, dataSet) => ({
      name: dataSetNames[dataSet],
      ...(await readStatus(client)),
    }))
    return { ...head, database: database.location, dataSets }
  })
}

function statusText(status: Status): readonly string[] {
  const lines = [
    status.running === null
      ? 'No pipeline runs on this data folder.'
      : `A pipeline runs: process ${status.running.pid} on ${status.running.host}.`,
    `data folder  ${status.dataDir}`,
    `database     ${status.database ?? 'not made yet: start `millrace run realtime`'}`,
    `archive      ${status.archive}`,
  ]
  for (const dataSet of status.dataSets) lines.push(...dataSetText(dataSet))
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
