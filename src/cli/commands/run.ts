import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { runSession } from '../../host/runSession.ts'
import { topicsOf } from '../../host/runTopic.ts'
import { ownModule } from '../../runtime/ownPackage.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { exitOk, UsageError } from '../exit.ts'
import { hostSettingsOf } from '../hostSettings.ts'
import { importFile } from '../importFile.ts'
import { exportsJob, jobIn } from '../loadJob.ts'
import { pipelineIn } from '../loadPipeline.ts'
import { fileBanner, fileSummary } from '../runFileTexts.ts'
import { shutdownOf, TerminalView } from '../terminalView.ts'
import { watchRun } from '../watch/watchRun.ts'
import { checkWorkers, closeOpenNeedsUntilEnd } from '../workers.ts'

/** Runs the pipeline of a file; with `--watch`, anew whenever it has changed. */
export async function runFile(context: CommandContext): Promise<number> {
  const [file = ''] = context.args
  // A file that is not there is a mistake, and nothing to wait for.
  if (!context.settings.watch || !existsSync(file)) return runOnce(context)
  const args = process.argv.slice(2).filter((arg) => arg !== '--watch')
  return watchRun(file, args, (line) => void context.output.out(`${line}\n`))
}

/** Runs the pipeline of a file until it is stopped, or until what its topics hold is committed; or the batch job that it exports. */
async function runOnce(context: CommandContext): Promise<number> {
  const { settings, args } = context
  const [file = ''] = args
  checkWorkers(settings)
  if (settings.closeOpen && !settings.untilEnd) throw new UsageError(closeOpenNeedsUntilEnd)
  const exports = await importFile(file, ['realtime', 'batch'])
  if (exportsJob(exports)) return (await import('../schedule/runJob.ts')).runJob(context, jobIn(exports, file))
  const pipeline = pipelineIn(exports, file)
  if (settings.schedule) {
    throw new UsageError(
      `--schedule is for batch jobs (defineJob); ${file} exports a pipeline, which runs until it is stopped.`,
    )
  }
  const topics = topicsOf(pipeline, settings.inputTopic)
  const stopRequest = shutdownOf(context)
  const view = new TerminalView(context)
  const names = topics.map(({ name }) => name).join(', ')
  view.use({
    title: `${pipeline.name} · ${names}`,
    caution: null,
    banner: (job, places) => fileBanner(file, job, places),
    waitingFor: `Waiting for records of ${names}.`,
    summary: (end) => fileSummary(end, (words) => commandFor(context, words)),
  })
  try {
    await runSession({
      name: pipeline.name,
      place: settings,
      job: async () => ({
        pipeline,
        topics,
        feeds: [],
        settings: hostSettingsOf(context, settings.schema),
        processes:
          settings.workers === 1
            ? null
            : {
                count: settings.workers,
                pipeline: { url: ownModule('cli/filePipeline').href, argument: resolve(file) },
              },
        source: `${pipeline.name} (${file})`,
      }),
      untilEnd: settings.untilEnd,
      closeOpen: settings.closeOpen,
      stopRequest,
      view,
    })
    return exitOk
  } finally {
    stopRequest.dispose()
  }
}
