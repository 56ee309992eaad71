import { resolve } from 'node:path'
import type { RunJob } from '../../host/openRun.ts'
import { runSession } from '../../host/runSession.ts'
import { topicsOf } from '../../host/runTopic.ts'
import { systemClock } from '../../runtime/clock.ts'
import { ownModule } from '../../runtime/ownPackage.ts'
import { openPool, type PostgresAddress } from '../../sinks/postgres/connection.ts'
import { planAlerts } from '../alerts/alertPlan.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { exitFailure, exitOk } from '../exit.ts'
import { hostSettingsOf } from '../hostSettings.ts'
import { columnsOf, type RunTexts, shutdownOf, TerminalView } from '../terminalView.ts'
import { version } from '../version.ts'
import { checkConsole, startWebConsole } from '../webConsole.ts'
import { checkWorkers } from '../workers.ts'
import { LiveCandles, simulatedCaution } from './candlePanel.ts'
import { type ChosenPlan, choosePlan } from './choosePlan.ts'
import { emptyTape } from './frameCounts.ts'
import { openFeeds } from './openFeed.ts'
import { makePipeline, type RealtimeArgument } from './realtimePipeline.ts'
import { namedSource, nextCommand, type RunPlan } from './runPlan.ts'
import { banner, summary } from './runTexts.ts'

/** Runs the realtime pipeline until it is stopped, or until the end of a tape is committed. */
export async function runRealtime(context: CommandContext): Promise<number> {
  const { settings } = context
  const startedAt = systemClock.now()
  const named = namedSource(settings, context.origins)
  checkWorkers(settings)
  if (hasConsole(context)) checkConsole(context)
  // From the start: what is half open is closed in order, too.
  const stopRequest = shutdownOf(context)
  const view = new TerminalView(context)
  let plan: RunPlan | null = null
  try {
    const ended = await runSession({
      name: 'realtime',
      place: settings,
      job: async () => {
        const chosen = await choosePlan(context, named)
        plan = chosen.plan
        view.use(textsOf(context, chosen, startedAt))
        return jobOf(context, chosen.plan, (notice) => view.say(notice))
      },
      untilEnd: settings.untilEnd,
      closeOpen: settings.closeOpen,
      stopRequest,
      view,
    })
    const problems = ended?.ingests.map((report) => (plan === null ? null : emptyTape(plan, report))) ?? []
    for (const problem of problems) if (problem !== null) context.output.err(`error: ${problem}`)
    return problems.every((problem) => problem === null) ? exitOk : exitFailure
  } finally {
    stopRequest.dispose()
  }
}

async function jobOf(context: CommandContext, plan: RunPlan, onNotice: (line: string) => void): Promise<RunJob> {
  const { settings } = context
  const { topic, producer, source, market, timeUnit } = plan
  const alerts = settings.alertsFile === undefined ? null : JSON.stringify(planAlerts(settings.alertsFile, context.env))
  const argument: RealtimeArgument = {
    market,
    exchange: source === 'coinbase' || market === 'coinbase' ? 'coinbase' : 'binance',
    timeUnit,
    provisionalEveryMs: settings.openCandleMs,
    alerts,
    indicators: settings.indicators ?? [],
  }
  const pipeline = makePipeline(argument)
  const isOfThePast = source === 'tape'
  const opened = source === 'none' ? [] : await openFeeds(plan, settings, onNotice)
  const feeds = opened.map((one) => ({ ...one, producer, isOfThePast }))
  return {
    pipeline,
    topics: topicsOf(pipeline, topic, { isOfThePast, mayBeMade: settings.logTopic === undefined }),
    feeds,
    settings: hostSettingsOf(context, plan.schema),
    processes:
      settings.workers === 1
        ? null
        : { count: settings.workers, pipeline: { url: ownModule('cli/realtime/realtimePipeline').href, argument } },
    source: plan.sourceText,
  }
}

/** A run with an end in sight is over before anybody has looked. */
function hasConsole({ settings }: CommandContext): boolean {
  return settings.console && !settings.untilEnd
}

async function webConsole(context: CommandContext, address: PostgresAddress, lost: AbortSignal) {
  const running = await startWebConsole(context, { address, onlySchema: null, lost })
  return { line: `  console      ${running.url}`, close: () => running.close() }
}

function textsOf(context: CommandContext, { plan, isFallback }: ChosenPlan, startedAt: number): RunTexts {
  const { settings, origins } = context
  const awaited = plan.source === 'tape' ? 'the tape' : plan.topic
  return {
    title: `realtime · ${plan.sourceText}`,
    caution: plan.dataSet === 'simulated' ? simulatedCaution : null,
    banner: (_job, places) =>
      banner({
        version: version(),
        plan,
        isFallback,
        doctor: commandFor(context, 'doctor'),
        dataDir: resolve(settings.dataDir),
        columns: columnsOf(process.stdout),
        ...places,
      }),
    waitingFor: `Waiting for the first trades of ${plan.symbols?.join(', ') ?? awaited}.`,
    panel: ({ address, schema, lost }, say) => {
      const pool = openPool(address, { schema, applicationName: 'millrace console', maxConnections: 1, lost })
      const panel = new LiveCandles({
        pool,
        market: plan.market,
        symbol: plan.symbols?.[0] ?? null,
        startedAt,
        now: () => systemClock.now(),
        say,
        nextCommand: (symbol) => nextCommand(plan, symbol, settings, origins),
      })
      return { panel, close: () => pool.end() }
    },
    ...(hasConsole(context) ? { companion: ({ address, lost }) => webConsole(context, address, lost) } : {}),
    summary: (end) => summary(plan, end, (words) => commandFor(context, words)),
  }
}
