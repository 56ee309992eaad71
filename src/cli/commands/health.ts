import { type RunningProcess, runningProcesses } from '../../host/processSlots.ts'
import { readRunReport } from '../../host/runReport.ts'
import { systemClock } from '../../runtime/clock.ts'
import { shownText } from '../../runtime/shownText.ts'
import type { CommandContext } from '../commandContext.ts'
import { exitFailure, exitOk } from '../exit.ts'

/** A report is written once a second. */
const staleAfterMs = 15_000

interface Verdict {
  readonly isHealthy: boolean
  readonly text: string
}

/**
 * Whether all that runs on the data folder is alive. What waits for a broker or a database is: to start it again would help nobody, and it goes
 * on by itself.
 */
export async function health({ settings, output }: CommandContext): Promise<number> {
  const running = runningProcesses(settings.dataDir)
  const verdicts: readonly Verdict[] =
    running.length === 0
      ? [{ isHealthy: false, text: `nothing runs on ${settings.dataDir}` }]
      : running.map((process) => judge(process, systemClock.now()))
  for (const { text } of verdicts) await output.out(`${shownText(text)}\n`)
  return verdicts.every(({ isHealthy }) => isHealthy) ? exitOk : exitFailure
}

function judge({ folder, holder }: RunningProcess, now: number): Verdict {
  const report = readRunReport(folder, holder.pid)
  const process = `process ${holder.pid}`
  if (report === null) return { isHealthy: false, text: `${process} has not reported yet` }
  if (now - report.at > staleAfterMs)
    return { isHealthy: false, text: `${process} is silent for ${Math.round((now - report.at) / 1000)} s` }
  const waiting = report.waitingFor === null ? '' : `, waiting for ${report.waitingFor}`
  return { isHealthy: true, text: `${process} runs: ${report.source}${waiting}` }
}
