import { acquireRunLock } from '../embedded/runLock.ts'
import { systemClock } from '../runtime/clock.ts'
import { graphOf } from '../runtime/task/graph.ts'
import { openPool, type PostgresAddress } from '../sinks/postgres/connection.ts'
import { Cleanup } from './cleanup.ts'
import { DatabaseProbe } from './databaseProbe.ts'
import { giveUpWhenSilent } from './giveUp.ts'
import type { HostSettings } from './hostSettings.ts'
import { LateHint } from './lateHint.ts'
import { openRun, type RunJob, type RunPlaces } from './openRun.ts'
import type { RunEnd } from './pipelineRun.ts'
import { runFolder } from './processSlots.ts'
import { ReportRow } from './reportRow.ts'
import { openRunDatabase } from './runDatabase.ts'
import { RunReporter } from './runReport.ts'
import { type RunStatus, StatusMeter } from './runStatus.ts'
import type { StopRequest } from './shutdown.ts'
import { StoppedWaiting, startWait } from './startWait.ts'

/** A run that is open and about to begin. */
export interface BegunRun {
  /** How it is doing now. */
  readonly status: () => RunStatus
  readonly address: PostgresAddress
  readonly schema: string
  /** Fires when the database is given up. */
  readonly lost: AbortSignal
}

/** Who follows a run. */
export interface RunView {
  /** One line on what is waited for, was made, or went wrong and will be tried again. */
  say(line: string): void
  /** One line on the start of the embedded database. */
  progress(line: string): void
  /** What is run is known, and nothing is open yet. */
  starting(job: RunJob, places: RunPlaces): void
  /** The run is open, and begins once this resolves. */
  begin(run: BegunRun): Promise<void>
  /** Somebody asked for a stop. */
  stopping(why: string): void
  /** All that will be stored is. Not called after a failure. */
  ended(end: RunEnd): Promise<void>
  /** Lets go of what it shows on, however the run came to its end. */
  close(): Promise<void>
}

export interface RunSessionOptions {
  /** Of the pipeline. */
  readonly name: string
  readonly place: Pick<HostSettings, 'dataDir' | 'databaseUrl' | 'workerId'>
  /** Finds out what is run, while the database starts. */
  readonly job: () => Promise<RunJob>
  readonly untilEnd: boolean
  readonly closeOpen: boolean
  readonly stopRequest: StopRequest
  readonly view: RunView
}

const statusEveryMs = 1_000

/**
 * One run from the lock of its data folder to the last thing closed: opens database, log and archive, waits for those that are away, runs, and leaves a report for
 * `status` and `health` meanwhile. Null where it was stopped before it began.
 */
export async function runSession(options: RunSessionOptions): Promise<RunEnd | null> {
  const { name, place, view } = options
  const cleanup = new Cleanup()
  try {
    const folder = runFolder(place.dataDir, name, place.workerId)
    const lock = await acquireRunLock(folder)
    cleanup.add(() => lock.release())
    // The database takes the longest to start, so it starts while the rest is found out.
    const opening = openRunDatabase(place, (line) => view.progress(line))
    opening.catch(() => undefined)
    cleanup.add(() =>
      opening.then(
        (database) => database.close(),
        () => undefined,
      ),
    )
    const job = await options.job()
    const database = await opening
    const reporter = new RunReporter(folder, job.source)
    cleanup.add(() => reporter.remove())
    return await runOpened({ ...options, job, database, reporter, cleanup })
  } catch (error) {
    if (!(error instanceof StoppedWaiting)) throw error
    view.say(error.message)
    return null
  } finally {
    await cleanup.run()
  }
}

interface OpenedSession extends Omit<RunSessionOptions, 'job'> {
  readonly job: RunJob
  readonly database: Awaited<ReturnType<typeof openRunDatabase>>
  readonly reporter: RunReporter
  readonly cleanup: Cleanup
}

async function runOpened(session: OpenedSession): Promise<RunEnd | null> {
  const { job, database, reporter, cleanup, stopRequest, view, untilEnd, closeOpen } = session
  const { address } = database
  const { schema } = job.settings
  const say = (line: string) => view.say(line)
  const wait = startWait({ say, reporter, stopRequest })
  const onStart = (places: RunPlaces) => view.starting(job, places)
  const lost = new AbortController()
  const run = await openRun({ job, database, lost: lost.signal, onStart, wait, onWarning: say, cleanup })
  const pool = openPool(address, {
    schema,
    applicationName: 'millrace console',
    maxConnections: 1,
    lost: lost.signal,
  })
  cleanup.add(() => pool.end())
  const probe = new DatabaseProbe(pool)
  const meter = new StatusMeter()
  const status = (): RunStatus => {
    const now = systemClock.now()
    const waitingFor = database.waitingFor ?? run.waitingFor ?? probe.waitingFor(now)
    const { progress } = run
    return meter.take({ tasks: run.tasks(), totals: run.totals(), outlets: run.outlets(), progress, waitingFor }, now)
  }
  const lateHint = new LateHint(pool, job.pipeline.name, job.topics[0]?.name ?? '', say)
  const { pipeline, feeds } = job
  const row = new ReportRow(pool, graphOf(pipeline), feeds.length > 0 && feeds.every(({ isOfThePast }) => isOfThePast))
  cleanup.add(() => (lost.signal.aborted ? undefined : row.end()))
  const reporting = setInterval(() => {
    const now = systemClock.now()
    probe.ask(now)
    const told = status()
    row.write(reporter.write(told, now, told), told.tasks)
    void lateHint.look(run.totals().deadLetters)
  }, statusEveryMs)
  cleanup.add(() => clearInterval(reporting))
  cleanup.add(() => view.close())
  await lateHint.begin()
  await view.begin({ status, address, schema, lost: lost.signal })
  stopRequest.whenStopping((why) => {
    view.stopping(why)
    run.stop()
    cleanup.add(giveUpWhenSilent(probe, lost, say))
  })
  if (stopRequest.isStopping) return null
  const ended = await run.run({ untilEnd, closeOpen })
  if (!lost.signal.aborted) await lateHint.look(ended.totals.deadLetters)
  await view.ended(ended)
  return ended
}
