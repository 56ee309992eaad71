import { resolve } from 'node:path'
import { countText } from '../../console/text.ts'
import { acquireRunLock } from '../../embedded/runLock.ts'
import { systemClock } from '../../runtime/clock.ts'
import { openPool } from '../../sinks/postgres/connection.ts'
import { migrate } from '../../sinks/postgres/migrate.ts'
import { tapeTopic } from '../../sources/tapeFile.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitOk } from '../exit.ts'
import { pingUrl, probeTimeoutMs, unreachable } from '../run/exchangeProbe.ts'
import { openArchive } from '../run/openArchive.ts'
import { openFeed } from '../run/openFeed.ts'
import { openLog } from '../run/openLog.ts'
import { RealtimeConsole } from '../run/realtimeConsole.ts'
import { RealtimeRun, type RunEnd } from '../run/realtimeRun.ts'
import { openRunDatabase } from '../run/runDatabase.ts'
import { banner, liveSymbols, namedSource, nextCommand, planRun, type RunPlan } from '../run/runPlan.ts'
import { listenForShutdown } from '../run/shutdown.ts'
import { version } from '../version.ts'

/** Runs the realtime pipeline until it is stopped, or until the end of a tape is committed. */
export async function runRealtime(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const startedAt = systemClock.now()
  const named = namedSource(settings)
  const lock = acquireRunLock(settings.dataDir)
  const shutdown = listenForShutdown(
    (name) => output.err(`${name}: stopping cleanly; what is read is committed first. Once more ends at once.`),
    () => output.err('Ended at once. Nothing is lost: the next start goes on from the last commit.'),
  )
  try {
    // The database takes the longest to start, so it starts while the rest is found out.
    const opening = openRunDatabase(settings, output.err)
    opening.catch(() => undefined)
    const { plan, isFallback } = await choosePlan(context, named)
    const database = await opening
    try {
      const opened = await openArchive(settings, plan.dataSet, context.env, (message) =>
        output.err(`warning: ${message}`),
      )
      const facts = {
        version: version(),
        plan,
        isFallback,
        dataDir: resolve(settings.dataDir),
        database: database.location,
        archive: opened?.store.location ?? 'none',
      }
      for (const line of banner(facts)) output.err(line)
      const pool = openPool(database.address, {
        schema: plan.dataSet,
        applicationName: 'millrace console',
        maxConnections: 1,
      })
      await migrate(pool, plan.dataSet)
      const log = await openLog({
        address: database.address,
        plan,
        partitions: context.origins.partitions === 'default' ? null : settings.partitions,
        retentionHours: settings.logRetentionHours,
        onWarning: output.err,
      })
      // Until the screen is there, and after it has ended, lines go straight to stderr.
      let say = output.err
      const feed = await openFeed(plan, settings, (notice) => say(notice))
      const run = new RealtimeRun({
        source: log.source,
        writer: log.writer,
        partitions: log.partitions,
        plan,
        feed,
        archive: opened?.archive ?? null,
        address: database.address,
        checkpointMs: settings.checkpointMs,
      })
      const screen = new RealtimeConsole({
        plan,
        title: `millrace ${version()} · realtime · ${plan.sourceText} · Ctrl-C stops`,
        terminal: { write: (text) => void output.out(text), columns: process.stdout.columns ?? 100 },
        isTable: settings.tty ?? (context.isTerminal && (context.env.CI ?? '') === ''),
        run,
        pool,
        databaseWait: () => database.waitingFor,
        startedAt,
        now: () => systemClock.now(),
        nextCommand: (symbol) => nextCommand(plan, symbol, settings, context.origins),
      })
      output.err(`Waiting for the first trades of ${plan.symbols?.join(', ') ?? 'the tape'}.`)
      const stop = () => run.stop()
      shutdown.signal.addEventListener('abort', stop, { once: true })
      try {
        screen.start()
        say = (line) => screen.say(line)
        if (shutdown.signal.aborted) run.stop()
        const ended = await run.run({ untilEnd: settings.untilEnd, closeOpen: settings.closeOpen })
        say = output.err
        await screen.end()
        for (const line of summary(plan, ended)) output.err(line)
        return exitOk
      } finally {
        await screen.end()
        await log.close()
        await opened?.store.close()
        await pool.end()
      }
    } finally {
      await database.close()
    }
  } finally {
    shutdown.dispose()
    lock.release()
  }
}

async function choosePlan(
  context: CommandContext,
  named: ReturnType<typeof namedSource>,
): Promise<{ readonly plan: RunPlan; readonly isFallback: boolean }> {
  const { settings, output } = context
  if (named === 'tape') {
    return { plan: planRun('tape', settings, await tapeTopic(settings.tape ?? '')), isFallback: false }
  }
  if (named !== null) return { plan: planRun(named, settings, null), isFallback: false }
  const url = pingUrl(settings.market, settings.binanceRestUrl)
  const problem = await unreachable(url, probeTimeoutMs)
  if (problem === null) return { plan: planRun('binance', settings, null), isFallback: false }
  output.err(
    `The exchange is out of reach (${url}: ${problem}): simulating ${(settings.symbols ?? liveSymbols).join(', ')}.`,
  )
  return { plan: planRun('simulator', settings, null), isFallback: true }
}

function summary(plan: RunPlan, { end, ingest, tasks }: RunEnd): readonly string[] {
  const letters = tasks.reduce((total, task) => total + task.deadLetters, 0)
  const records = tasks.reduce((total, task) => total + task.records, 0)
  return [
    end === 'committed'
      ? `All of the ${plan.source} is committed: ${countText(records)} records, ${countText(letters)} dead letters.`
      : `Stopped cleanly: ${countText(records)} records committed, ${countText(letters)} dead letters. The next start goes on from here.`,
    ...(ingest.unconfirmedRecords === 0
      ? []
      : [
          `${countText(ingest.unconfirmedRecords)} records were read but not stored, because the database did not answer in time.`,
        ]),
    ...(letters === 0 ? [] : ['`npx millrace dead-letters list` shows what was set aside, and why.']),
  ]
}
