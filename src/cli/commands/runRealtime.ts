import { resolve } from 'node:path'
import { showCursor } from '../../console/screen.ts'
import { acquireRunLock } from '../../embedded/runLock.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openPool } from '../../sinks/postgres/connection.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitOk, UsageError } from '../exit.ts'
import { type ChosenPlan, choosePlan } from '../run/choosePlan.ts'
import { Cleanup } from '../run/cleanup.ts'
import { openFeed } from '../run/openFeed.ts'
import { openWorker } from '../run/openWorker.ts'
import { runFolder } from '../run/processSlots.ts'
import { RealtimeConsole } from '../run/realtimeConsole.ts'
import { RealtimeRun } from '../run/realtimeRun.ts'
import { openRunDatabase, type RunDatabase } from '../run/runDatabase.ts'
import { namedSource, nextCommand } from '../run/runPlan.ts'
import { RunReporter } from '../run/runReport.ts'
import { banner, summary } from '../run/runTexts.ts'
import { Shutdown } from '../run/shutdown.ts'
import { StoppedWaiting, startWait } from '../run/startWait.ts'
import type { SettingValues } from '../settings.ts'
import { version } from '../version.ts'

/** Runs the realtime pipeline until it is stopped, or until the end of a tape is committed. */
export async function runRealtime(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const startedAt = systemClock.now()
  const named = namedSource(settings)
  checkWorkers(settings)
  const cleanup = new Cleanup()
  // From the start: what is half open is closed in order, too.
  const shutdown = new Shutdown(() => {
    if (context.isTerminal) process.stdout.write(showCursor)
    output.err('Ended at once. Nothing is lost: the next start goes on from the last commit.')
  })
  cleanup.add(() => shutdown.dispose())
  try {
    const folder = runFolder(settings.dataDir, settings.workerId)
    const lock = acquireRunLock(folder)
    cleanup.add(() => lock.release())
    // The database takes the longest to start, so it starts while the source is found out.
    const opening = openRunDatabase(settings, output.err)
    opening.catch(() => undefined)
    cleanup.add(() =>
      opening.then(
        (database) => database.close(),
        () => undefined,
      ),
    )
    const chosen = await choosePlan(context, named)
    return await runOn({ context, folder, database: await opening, startedAt, cleanup, shutdown, ...chosen })
  } catch (error) {
    if (!(error instanceof StoppedWaiting)) throw error
    await output.out(`${error.message}\n`)
    return exitOk
  } finally {
    await cleanup.run()
  }
}

function checkWorkers({ workers, kafkaBrokers, untilEnd }: SettingValues): void {
  if (workers === 1) return
  if (kafkaBrokers === undefined)
    throw new UsageError(`--workers ${workers} needs Kafka to share the partitions: set KAFKA_BROKERS.`)
  if (untilEnd) throw new UsageError('--until-end is for one worker: leave --workers out.')
}

interface RunParts extends ChosenPlan {
  readonly context: CommandContext
  /** Holds the lock and the report. */
  readonly folder: string
  readonly database: RunDatabase
  readonly startedAt: number
  readonly cleanup: Cleanup
  readonly shutdown: Shutdown
}

async function runOn(parts: RunParts): Promise<number> {
  const { context, folder, database, plan, isFallback, startedAt, cleanup, shutdown } = parts
  const { settings, output } = context
  const { address } = database
  const print = (line: string): void => {
    void output.out(`${line}\n`)
  }
  let say = print
  const reporter = new RunReporter(folder, plan.sourceText)
  cleanup.add(() => reporter.remove())
  const wait = startWait({ say: print, reporter, shutdown })
  const opened = await openWorker({
    context,
    plan,
    database,
    onStart: ({ archive, log }) => {
      const dataDir = resolve(settings.dataDir)
      const texts = { version: version(), plan, isFallback, dataDir, database: database.location, archive, log }
      for (const line of banner(texts)) print(line)
    },
    wait,
    onWarning: (line) => say(line),
    cleanup,
  })
  const { writer } = opened
  const ingest = writer === null ? null : { writer, feed: await openFeed(plan, settings, (notice) => say(notice)) }
  const run = new RealtimeRun({ plan, ingest, worker: opened.worker, partitions: opened.partitions })
  const pool = openPool(address, { schema: plan.dataSet, applicationName: 'millrace console', maxConnections: 1 })
  cleanup.add(() => pool.end())
  const screen = new RealtimeConsole({
    plan,
    title: `millrace ${version()} · realtime · ${plan.sourceText} · Ctrl-C stops`,
    terminal: terminalOf(context),
    isTable: settings.tty ?? (context.isTerminal && (context.env.CI ?? '') === ''),
    run,
    pool,
    databaseWait: () => database.waitingFor ?? run.waitingFor,
    onSnapshot: (snapshot, now) => reporter.write(snapshot, now),
    startedAt,
    now: () => systemClock.now(),
    nextCommand: (symbol) => nextCommand(plan, symbol, settings, context.origins),
  })
  const awaited = plan.source === 'tape' ? 'the tape' : plan.topic
  print(`Waiting for the first trades of ${plan.symbols?.join(', ') ?? awaited}.`)
  screen.start()
  say = (line) => screen.say(line)
  cleanup.add(() => screen.end())
  shutdown.whenStopping((signal) => {
    screen.say(`${signal}: stopping cleanly; what is read is committed first. Once more ends at once.`)
    run.stop()
  })
  if (shutdown.isStopping) return exitOk
  const ended = await run.run({ untilEnd: settings.untilEnd, closeOpen: settings.closeOpen })
  await screen.end()
  for (const line of summary(plan, ended)) print(line)
  return exitOk
}

function terminalOf({ output }: CommandContext) {
  return {
    write: (text: string) => void output.out(text),
    // Zero is what a terminal says that does not know its size.
    get columns() {
      return process.stdout.columns || 100
    },
    get rows() {
      return process.stdout.rows || 30
    },
  }
}
