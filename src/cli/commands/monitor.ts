import { runPipeline } from '../../host/runPipeline.ts'
import { Shutdown } from '../../host/shutdown.ts'
import { systemClock } from '../../runtime/clock.ts'
import { planAlerts } from '../alerts/alertPlan.ts'
import { newestBackup } from '../backup/newestBackup.ts'
import type { CommandContext } from '../commandContext.ts'
import { pasteable } from '../commandFor.ts'
import { databaseExists, openDatabase } from '../database.ts'
import { describeFailure, exitOk } from '../exit.ts'
import { problemsOf } from '../monitor/judge.ts'
import { measurementsOf } from '../monitor/measurements.ts'
import { metricsText } from '../monitor/metrics.ts'
import { openDoor } from '../monitor/monitorDoor.ts'
import { measurementsTopic, measuringFeed, monitorPipeline } from '../monitor/monitorPipeline.ts'
import { thresholdsOf } from '../monitor/thresholds.ts'
import { lookAround, type Watched } from '../monitor/watched.ts'
import { noReader } from '../terminalView.ts'

/** Whoever asks within this time gets the same look. */
const lookLastsMs = 2_000

/** Opens /metrics, /healthz and /readyz, and decides alerts over what it measures, until it is stopped. */
export async function monitor(context: CommandContext): Promise<number> {
  const { settings, output, env } = context
  const stopping = new Shutdown(() => output.err('Ended at once.'))
  output.onClosed(() => stopping.begin(noReader))
  const look = sharedLook(context)
  const backups = newestBackup(context)
  const ended = new AbortController()
  // Else each look would start the database anew where nothing else runs.
  const held = databaseExists(settings) && settings.databaseUrl === undefined ? await openDatabase(settings) : null
  try {
    const door = await openDoor(
      { host: settings.metricsHost, port: settings.metricsPort, token: settings.metricsToken },
      {
        metrics: async () => metricsText(await look(), await backups()),
        problems: async () => problemsOf(await look(), thresholdsOf(settings)),
        onError: (error) => output.err(describeFailure(error)),
      },
    )
    stopping.whenStopping(() => ended.abort())
    const where = `Metrics: ${door.url}/metrics, whether all is well: ${door.url}/readyz\n`
    await output.out(pasteable(`${where}Ctrl-C stops it. What to make of them: docs/run/operations.md\n`, context))
    try {
      if (settings.alertsFile === undefined) await until(ended.signal)
      else await decide(context, planAlerts(settings.alertsFile, env), look, ended.signal)
    } finally {
      await door.close()
    }
    return exitOk
  } finally {
    await held?.close()
    stopping.dispose()
  }
}

async function decide(
  { settings, output }: CommandContext,
  plan: ReturnType<typeof planAlerts>,
  look: () => Promise<Watched>,
  signal: AbortSignal,
): Promise<void> {
  const measure = async () => {
    try {
      return measurementsOf(await look())
    } catch (error) {
      output.err(describeFailure(error))
      return []
    }
  }
  const wait = (stop: AbortSignal) => systemClock.sleep(settings.measureEvery * 1_000, stop)
  await runPipeline(monitorPipeline(plan), {
    dataDir: settings.dataDir,
    ...(settings.databaseUrl === undefined ? {} : { databaseUrl: settings.databaseUrl }),
    schema: settings.schema,
    archive: 'none',
    partitions: 1,
    feed: { feed: measuringFeed(measure, wait), topic: measurementsTopic },
    signal,
    onNotice: (line) => output.err(line),
  })
}

function until(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** One look at a time, however many ask. */
function sharedLook(context: CommandContext): () => Promise<Watched> {
  let last: Promise<Watched> | null = null
  let at = Number.NEGATIVE_INFINITY
  return () => {
    const now = systemClock.now()
    if (last === null || now - at > lookLastsMs) {
      at = now
      last = lookAround(context, now)
      last.catch(() => {
        last = null
      })
    }
    return last
  }
}
