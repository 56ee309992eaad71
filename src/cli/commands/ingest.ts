import { acquireRunLock } from '../../embedded/runLock.ts'
import { Cleanup } from '../../host/cleanup.ts'
import { openIngestLog } from '../../host/openIngestLog.ts'
import { fencedError } from '../../host/pipelineRun.ts'
import { ingestFolder } from '../../host/processSlots.ts'
import { RunReporter } from '../../host/runReport.ts'
import { Shutdown } from '../../host/shutdown.ts'
import { StoppedWaiting, startWait } from '../../host/startWait.ts'
import { systemClock } from '../../runtime/clock.ts'
import { runIngest } from '../../sources/ingest/runIngest.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitOk, UsageError } from '../exit.ts'
import { hostSettingsOf } from '../hostSettings.ts'
import { choosePlan } from '../realtime/choosePlan.ts'
import { IngestConsole } from '../realtime/ingestConsole.ts'
import { ingestBanner, ingestSummary } from '../realtime/ingestTexts.ts'
import { openFeed } from '../realtime/openFeed.ts'
import { namedSource } from '../realtime/runPlan.ts'

/** Brings trades into the log until it is stopped, or until the end of a tape. */
export async function ingest(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const named = namedSource(settings)
  if (named === 'none')
    throw new UsageError('ingest needs something to take in: --source none is only for run realtime.')
  const cleanup = new Cleanup()
  const stopping = new AbortController()
  const shutdown = new Shutdown(() => {
    output.err('Ended at once. Nothing that is in the log is lost; a tape goes on where it was.')
  })
  cleanup.add(() => shutdown.dispose())
  const say = (line: string): void => {
    void output.out(`${line}\n`)
  }
  try {
    const folder = ingestFolder(settings.dataDir)
    const lock = acquireRunLock(folder)
    cleanup.add(() => lock.release())
    const { plan, isFallback } = await choosePlan(context, named, { isIngestOnly: true })
    const reporter = new RunReporter(folder, `ingest of ${plan.sourceText}`)
    cleanup.add(() => reporter.remove())
    const wait = startWait({ say, reporter, stopRequest: shutdown })
    const isOfThePast = plan.source === 'tape'
    const log = await openIngestLog({
      settings: hostSettingsOf(context, plan.dataSet),
      topic: { name: plan.topic, isTable: false, isOfThePast },
      wait,
      onProgress: output.err,
      onWarning: say,
    })
    cleanup.add(() => log.close())
    if (isOfThePast && log.records !== null && log.records > 0) {
      say(
        `warning: ${plan.topic} holds ${log.records} records. Trades of a tape that are older than those become late; --topic NAME keeps a tape apart.`,
      )
    }
    for (const line of ingestBanner(plan, log.location, isFallback)) say(line)
    const feed = await openFeed(plan, settings, say)
    shutdown.whenStopping((signal) => {
      say(`${signal}: stopping cleanly; what is read is appended first. Once more ends at once.`)
      stopping.abort()
    })
    const screen = new IngestConsole({ say, reporter, now: () => systemClock.now() })
    cleanup.add(() => screen.end())
    const report = await runIngest({
      feed,
      writer: log.writer,
      producer: plan.producer,
      partitions: log.partitions,
      signal: stopping.signal,
      onProgress: (progress) => screen.progress(progress),
    })
    if (report.end === 'fenced') throw fencedError(plan)
    for (const line of ingestSummary(plan, report)) say(line)
    return exitOk
  } catch (error) {
    if (!(error instanceof StoppedWaiting)) throw error
    say(error.message)
    return exitOk
  } finally {
    await cleanup.run()
  }
}
