import { runningProcesses } from '../../host/processSlots.ts'
import { readRunReport } from '../../host/runReport.ts'
import { systemClock } from '../../runtime/clock.ts'
import { shownText } from '../../runtime/shownText.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitFailure, exitOk } from '../exit.ts'
import { problemsOf } from '../monitor/judge.ts'
import { thresholdsOf } from '../monitor/thresholds.ts'
import { lookAround } from '../monitor/watched.ts'

interface Verdict {
  readonly isHealthy: boolean
  readonly text: string
}

/**
 * Whether all that runs on the data folder is alive. What waits for a broker or a database is: to start it again would help nobody, and it goes
 * on by itself. With `--ready` also whether the data are within their bounds.
 */
export async function health(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const verdicts = settings.isReady ? await ready(context) : alive(context)
  for (const { text } of verdicts) await output.out(`${shownText(text)}\n`)
  return verdicts.every(({ isHealthy }) => isHealthy) ? exitOk : exitFailure
}

async function ready(context: CommandContext): Promise<readonly Verdict[]> {
  const problems = problemsOf(await lookAround(context, systemClock.now()), thresholdsOf(context.settings))
  if (problems.length === 0) return [{ isHealthy: true, text: 'ready: all is within its bounds' }]
  return problems.map(({ code, text }) => ({ isHealthy: false, text: `${code}: ${text}` }))
}

function alive({ settings }: CommandContext): readonly Verdict[] {
  const running = runningProcesses(settings.dataDir)
  if (running.length === 0) return [{ isHealthy: false, text: `nothing runs on ${settings.dataDir}` }]
  const now = systemClock.now()
  return running.map(({ folder, holder }) => {
    const report = readRunReport(folder, holder.pid)
    const process = `process ${holder.pid}`
    if (report === null) return { isHealthy: false, text: `${process} has not reported yet` }
    if (now - report.at > settings.maxSilence * 1_000)
      return { isHealthy: false, text: `${process} is silent for ${Math.round((now - report.at) / 1000)} s` }
    const waiting = report.waitingFor === null ? '' : `, waiting for ${report.waitingFor}`
    return { isHealthy: true, text: `${process} runs: ${report.source}${waiting}` }
  })
}
