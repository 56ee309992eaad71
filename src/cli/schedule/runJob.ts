import { countText } from '../../console/text.ts'
import { Shutdown } from '../../host/shutdown.ts'
import type { Job } from '../../schedule/job.ts'
import { runSchedule, type ScheduleEnd } from '../../schedule/runSchedule.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { type Database, openDatabase } from '../database.ts'
import { exitFailure, exitOk } from '../exit.ts'

/** Runs a batch job: what is due, or with `--schedule` until it is stopped. Exit code 1 where an interval was given up. */
export async function runJob(context: CommandContext, job: Job): Promise<number> {
  const database = await openDatabase(context.settings, context.output.err)
  try {
    return await runJobOn(context, job, database, context.settings.schema)
  } finally {
    await database.close()
  }
}

/** The same on a database that is open. */
export async function runJobOn(context: CommandContext, job: Job, database: Database, schema: string): Promise<number> {
  const { settings, output } = context
  const how = settings.schedule ? 'each interval when it comes due; Ctrl-C stops it' : 'what is due'
  await output.out(`Job ${job.name}, database ${database.location}: runs ${how}.\n`)
  const end = await workOn(context, job, { database, schema, untilDone: !settings.schedule })
  await output.out(`${endText(end)}\n`)
  if (end.givenUp > 0) output.err(`What failed: ${commandFor(context, `runs list --job ${job.name} --state failed`)}`)
  return end.givenUp > 0 && !settings.schedule ? exitFailure : exitOk
}

/** Where a worker works, and how long. */
interface Work {
  readonly database: Database
  readonly schema: string
  /** True until nothing is left. */
  readonly untilDone: boolean
}

/** One worker, until nothing is left or it is stopped. */
export async function workOn(
  { settings, output }: CommandContext,
  job: Job,
  { database, schema, untilDone }: Work,
): Promise<ScheduleEnd> {
  const stop = new AbortController()
  const shutdown = new Shutdown(() => undefined)
  shutdown.whenStopping((why) => {
    output.err(`${why}: the interval that runs is given back unless it ends; once more ends at once.`)
    stop.abort()
  })
  try {
    return await runSchedule(job, {
      ...{ database: database.address, schema, signal: stop.signal, untilDone, say: output.err },
      ...(settings.failureWebhook === undefined ? {} : { onFailure: { url: settings.failureWebhook } }),
    })
  } finally {
    shutdown.dispose()
  }
}

function endText({ done, failed, lost, givenUp }: ScheduleEnd): string {
  const parts = [
    `${countText(done)} ${done === 1 ? 'interval' : 'intervals'} done`,
    failed === 0 ? null : `${countText(failed)} attempts failed`,
    lost === 0 ? null : `${countText(lost)} lost to other workers`,
    givenUp === 0 ? null : `${countText(givenUp)} given up`,
  ]
  return `${parts.filter((part) => part !== null).join(', ')}.`
}
