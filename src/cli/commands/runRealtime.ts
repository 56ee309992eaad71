import { resolve } from 'node:path'
import { showCursor } from '../../console/screen.ts'
import { acquireRunLock } from '../../embedded/runLock.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openPool } from '../../sinks/postgres/connection.ts'
import { migrate } from '../../sinks/postgres/migrate.ts'
import { tapeTopic } from '../../sources/tapeFile.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitOk } from '../exit.ts'
import { Cleanup } from '../run/cleanup.ts'
import { pingUrl, probeTimeoutMs, unreachable } from '../run/exchangeProbe.ts'
import { openArchive } from '../run/openArchive.ts'
import { openFeed } from '../run/openFeed.ts'
import { openLog } from '../run/openLog.ts'
import { RealtimeConsole } from '../run/realtimeConsole.ts'
import { RealtimeRun } from '../run/realtimeRun.ts'
import { openRunDatabase, type RunDatabase } from '../run/runDatabase.ts'
import { liveSymbols, namedSource, nextCommand, planRun, type RunPlan } from '../run/runPlan.ts'
import { RunReporter } from '../run/runReport.ts'
import { banner, summary } from '../run/runTexts.ts'
import { Shutdown } from '../run/shutdown.ts'
import { version } from '../version.ts'

interface ChosenPlan {
  readonly plan: RunPlan
  /** True when nobody asked for the simulator and the exchange did not answer. */
  readonly isFallback: boolean
}

/** Runs the realtime pipeline until it is stopped, or until the end of a tape is committed. */
export async function runRealtime(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const startedAt = systemClock.now()
  const named = namedSource(settings)
  const cleanup = new Cleanup()
  // From the start: what is half open is closed in order, too.
  const shutdown = new Shutdown(() => {
    if (context.isTerminal) process.stdout.write(showCursor)
    output.err('Ended at once. Nothing is lost: the next start goes on from the last commit.')
  })
  cleanup.add(() => shutdown.dispose())
  try {
    const lock = acquireRunLock(settings.dataDir)
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
    return await runOn({ context, database: await opening, startedAt, cleanup, shutdown, ...chosen })
  } finally {
    await cleanup.run()
  }
}

async function choosePlan(context: CommandContext, named: ReturnType<typeof namedSource>): Promise<ChosenPlan> {
  const { settings, output } = context
  if (named === 'tape') {
    return { plan: planRun('tape', settings, await tapeTopic(settings.tape ?? '')), isFallback: false }
  }
  if (named !== null) return { plan: planRun(named, settings, null), isFallback: false }
  const url = pingUrl(settings.market, settings.binanceRestUrl)
  const problem = await unreachable(url, probeTimeoutMs)
  if (problem === null) return { plan: planRun('binance', settings, null), isFallback: false }
  const symbols = settings.symbols ?? liveSymbols
  output.err(`The exchange is out of reach (${url}: ${problem}): simulating ${symbols.join(', ')}.`)
  return { plan: planRun('simulator', settings, null), isFallback: true }
}

interface RunParts extends ChosenPlan {
  readonly context: CommandContext
  readonly database: RunDatabase
  readonly startedAt: number
  readonly cleanup: Cleanup
  readonly shutdown: Shutdown
}

async function runOn({ context, database, plan, isFallback, startedAt, cleanup, shutdown }: RunParts): Promise<number> {
  const { settings, output } = context
  const { address } = database
  const print = (line: string): void => {
    void output.out(`${line}\n`)
  }
  const archive = await openArchive(settings, plan.dataSet, context.env, (message) => output.err(`warning: ${message}`))
  if (archive !== null) cleanup.add(() => archive.store.close())
  const texts = {
    version: version(),
    plan,
    isFallback,
    dataDir: resolve(settings.dataDir),
    database: database.location,
    archive: archive?.store.location ?? 'none',
  }
  for (const line of banner(texts)) print(line)
  const pool = openPool(address, { schema: plan.dataSet, applicationName: 'millrace console', maxConnections: 1 })
  cleanup.add(() => pool.end())
  await migrate(pool, plan.dataSet)
  let say = print
  const log = await openLog({
    address,
    plan,
    partitions: context.origins.partitions === 'default' ? null : settings.partitions,
    retentionHours: settings.logRetentionHours,
    onWarning: (line) => say(line),
  })
  cleanup.add(() => log.close())
  const feed = await openFeed(plan, settings, (notice) => say(notice))
  const { checkpointMs } = settings
  const run = new RealtimeRun({ ...log, plan, feed, archive: archive?.archive ?? null, address, checkpointMs })
  const reporter = new RunReporter(settings.dataDir, plan.sourceText)
  cleanup.add(() => reporter.remove())
  const screen = new RealtimeConsole({
    plan,
    title: `millrace ${version()} · realtime · ${plan.sourceText} · Ctrl-C stops`,
    terminal: terminalOf(context),
    isTable: settings.tty ?? (context.isTerminal && (context.env.CI ?? '') === ''),
    run,
    pool,
    databaseWait: () => database.waitingFor,
    onSnapshot: (snapshot, now) => reporter.write(snapshot, now),
    startedAt,
    now: () => systemClock.now(),
    nextCommand: (symbol) => nextCommand(plan, symbol, settings, context.origins),
  })
  print(`Waiting for the first trades of ${plan.symbols?.join(', ') ?? 'the tape'}.`)
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
