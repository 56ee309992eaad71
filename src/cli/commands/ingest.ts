import { countText } from '../../console/text.ts'
import { acquireRunLock } from '../../embedded/runLock.ts'
import { Cleanup } from '../../host/cleanup.ts'
import { openIngestLog } from '../../host/openIngestLog.ts'
import { fencedError } from '../../host/pipelineRun.ts'
import { RunReporter } from '../../host/runReport.ts'
import { Shutdown } from '../../host/shutdown.ts'
import { requireFitTopic } from '../../host/simulatedTopic.ts'
import { StoppedWaiting, startWait } from '../../host/startWait.ts'
import { systemClock } from '../../runtime/clock.ts'
import { shownText } from '../../runtime/shownText.ts'
import { type IngestReport, runIngest } from '../../sources/ingest/runIngest.ts'
import type { CommandContext } from '../commandContext.ts'
import { pasteable } from '../commandFor.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { hostSettingsOf } from '../hostSettings.ts'
import { feedJob } from '../ingest/feedJob.ts'
import type { IngestJob } from '../ingest/ingestJob.ts'
import { marketJob } from '../ingest/marketJob.ts'
import { IngestConsole } from '../realtime/ingestConsole.ts'
import { noReader } from '../terminalView.ts'

/** Brings trades, JSON lines or a feed of one's own into the log until it is stopped, or until the end. */
export function ingest(context: CommandContext): Promise<number> {
  return runIngestJob(context, () => jobOf(context))
}

/** Brings in what `make` says, until it is stopped, or until the end. */
export async function runIngestJob(context: CommandContext, make: () => Promise<IngestJob>): Promise<number> {
  const { output } = context
  const cleanup = new Cleanup()
  const shutdown = new Shutdown(() => {
    output.err('Ended at once. Nothing that is in the log is lost; what can be read again goes on where it was.')
  })
  cleanup.add(() => shutdown.dispose())
  output.onClosed(() => shutdown.begin(noReader))
  const say = (line: string): void => {
    void output.out(`${shownText(pasteable(line, context))}\n`)
  }
  try {
    return await runJob(await make(), { context, cleanup, shutdown, say })
  } catch (error) {
    if (!(error instanceof StoppedWaiting)) throw error
    say(error.message)
    return exitOk
  } finally {
    await cleanup.run()
  }
}

function jobOf(context: CommandContext): Promise<IngestJob> {
  const { args, settings, origins } = context
  if (args[0] !== undefined || settings.feed !== undefined) return feedJob(context)
  const lineFlags = { key: '--key', time: '--time', onBadLine: '--on-bad-line' } as const
  for (const [name, flag] of Object.entries(lineFlags)) {
    if (origins[name as keyof typeof lineFlags] === 'flag')
      throw new UsageError(`${flag} is for JSON lines: name a file, or - for standard input.`)
  }
  return marketJob(context)
}

/** All of them, until each has ended. When one fails the others are stopped, and its error is thrown. */
async function runTogether<T>(works: readonly (() => Promise<T>)[], stopping: AbortController): Promise<readonly T[]> {
  const running = works.map(async (work) => {
    try {
      return await work()
    } catch (error) {
      stopping.abort()
      throw error
    }
  })
  await Promise.allSettled(running)
  return Promise.all(running)
}

interface JobParts {
  readonly context: CommandContext
  readonly cleanup: Cleanup
  readonly shutdown: Shutdown
  readonly say: (line: string) => void
}

async function runJob(job: IngestJob, { context, cleanup, shutdown, say }: JobParts): Promise<number> {
  const stopping = new AbortController()
  // Before anything is made: a feed that does not fit leaves nothing behind.
  const feed = await job.openFeed(say)
  requireFitTopic(feed, job.topic.name)
  const besideNames = job.topicsBeside ?? []
  const feedsBeside = (await job.openBeside?.(say)) ?? []
  for (const [index, one] of feedsBeside.entries()) requireFitTopic(one, besideNames[index] ?? '')
  const lock = await acquireRunLock(job.folder, {
    what: `an ingest of producer ${job.producer}`,
    otherwise: 'give this one a name of its own with --producer, or choose another folder with --data-dir',
  })
  cleanup.add(() => lock.release())
  const reporter = new RunReporter(job.folder, job.title)
  cleanup.add(() => reporter.remove())
  const log = await openIngestLog({
    settings: hostSettingsOf(context, job.schema),
    topic: job.topic,
    beside: besideNames,
    wait: startWait({ say, reporter, stopRequest: shutdown }),
    onProgress: context.output.err,
    onWarning: say,
  })
  cleanup.add(() => log.close())
  for (const line of job.banner(log)) say(line)
  shutdown.whenStopping((why) => {
    say(`${why}: stopping cleanly; what is read is appended first. Once more ends at once.`)
    stopping.abort()
    cleanup.add(log.giveUpWhenSilent())
  })
  const inflows = [
    { topic: job.topic.name, feed, writer: log.writer, partitions: log.partitions },
    ...feedsBeside.flatMap((one, index) => {
      const opened = log.beside[index]
      if (opened === undefined) return []
      const { writer, partitions } = opened
      return [{ topic: besideNames[index] ?? '', feed: one, writer, partitions }]
    }),
  ]
  const topics = inflows.map(({ topic, feed: { name } }) => ({ topic, name }))
  const screen = new IngestConsole({ say, reporter, topics, now: () => systemClock.now() })
  cleanup.add(() => screen.end())
  try {
    const reports = await runTogether(
      inflows.map(({ topic, ...inflow }, index) => async () => {
        const report = await runIngest({
          ...inflow,
          producer: job.producer,
          signal: stopping.signal,
          onProgress: (progress) => screen.progress(index, progress),
        })
        if (report.end === 'fenced') throw fencedError({ topic, producer: job.producer })
        return report
      }),
      stopping,
    )
    const [report, ...others] = reports as [IngestReport, ...IngestReport[]]
    for (const line of job.summary(report)) say(line)
    others.forEach(({ records }, index) => {
      say(`${countText(records)} records appended to ${besideNames[index]}.`)
    })
    const problem = job.problem(report)
    if (problem === null) return exitOk
    context.output.err(`error: ${problem}`)
    return exitFailure
  } catch (error) {
    const words = job.explain(error)
    if (words === null) throw error
    context.output.err(`error: ${words}`)
    return exitFailure
  }
}
