import { shownText } from '../../runtime/shownText.ts'
import type { CommandContext } from '../commandContext.ts'
import {
  type CheckResult,
  checkArchive,
  checkBinaries,
  checkDatabase,
  checkDisk,
  checkFolder,
  checkKafka,
  checkNode,
  checkPorts,
  checkRun,
} from '../doctorChecks.ts'
import { checkExchange } from '../exchangeChecks.ts'
import { exitFailure, exitOk } from '../exit.ts'
import { version } from '../version.ts'

/** Checks this machine. Exit code 1 when something fails that keeps the pipeline from running. */
export async function doctor(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const exchange = checkExchange(settings)
  const ofMachine = await Promise.all([
    checkNode(process.versions.node),
    checkFolder(settings.dataDir),
    checkDisk(settings.dataDir),
    checkPorts(),
    checkBinaries(settings),
    checkDatabase(settings),
    checkKafka(settings),
    checkArchive(settings, context.env),
    checkRun(settings),
  ])
  const results = [...ofMachine, ...(await exchange)]
  const isHealthy = results.every((result) => result.level !== 'fail')
  const text = settings.json
    ? JSON.stringify({ version: version(), healthy: isHealthy, checks: results }, null, 2)
    : shownText(doctorText(results).join('\n'))
  await output.out(`${text}\n`)
  return isHealthy ? exitOk : exitFailure
}

export function doctorText(results: readonly CheckResult[]): readonly string[] {
  const width = Math.max(...results.map((result) => result.name.length))
  const lines = results.flatMap((result) => [
    `${result.level.padEnd(4)}  ${result.name.padEnd(width)}  ${result.found}`,
    ...(result.remedy === null ? [] : [`${' '.repeat(width + 8)}${result.remedy}`]),
  ])
  const failed = results.filter((result) => result.level === 'fail').length
  const warned = results.filter((result) => result.level === 'warn').length
  const verdict =
    failed > 0 ? `${failed} to fix before it can run.` : warned > 0 ? 'It can run; see the warnings.' : 'All is well.'
  return [...lines, '', verdict]
}
