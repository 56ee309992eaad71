import type { Market } from '../../market/trade.ts'
import { RetryableError } from '../../runtime/errors.ts'
import { inspectTape, tapeTopic } from '../../sources/tapeFile.ts'
import { isMarkedSimulated } from '../../sources/tapeMark.ts'
import { requireTapeTimeUnit } from '../../sources/tapeTimeUnit.ts'
import type { CommandContext } from '../commandContext.ts'
import { UsageError } from '../exit.ts'
import { pingUrl, probeTimeoutMs, unreachable } from './exchangeProbe.ts'
import { liveSymbols, type PlanOptions, planRun, type RunPlan, type SourceKind } from './runPlan.ts'
import { withSymbolsOfFile } from './symbolsOfFile.ts'

export interface ChosenPlan {
  readonly plan: RunPlan
  /** True when nobody asked for the simulator and the exchange did not answer. */
  readonly isFallback: boolean
}

/** @param named the source that was asked for, or null where it depends on whether the exchange answers */
export async function choosePlan(
  context: CommandContext,
  named: SourceKind | null,
  options: PlanOptions = {},
): Promise<ChosenPlan> {
  const { origins, output } = context
  const { settings, ...ofFile } = await withSymbolsOfFile(context, named)
  if (named === 'tape') {
    const tapes = settings.tape ?? []
    const market = await marketOfTapes(tapes, settings.market, origins)
    const ofTape = await tapeTopic(tapes[0] ?? '')
    const plan = planRun('tape', { ...settings, market }, { ...options, tapeTopic: ofTape })
    for (const tape of tapes) await requireTapeTimeUnit(tape, plan.timeUnit)
    return { plan, isFallback: false }
  }
  if (named !== null) return { plan: planRun(named, settings, { ...options, ...ofFile }), isFallback: false }
  const url = pingUrl(settings.market === 'usdm' ? 'usdm' : 'spot', settings.binanceRestUrl)
  const problem = await unreachable(url, probeTimeoutMs)
  if (problem === null) return { plan: planRun('binance', settings, { ...options, ...ofFile }), isFallback: false }
  if (options.mayFallBack === false) {
    throw new RetryableError(
      `the exchange is out of reach (${url}: ${problem}); --source simulator takes an invented market instead`,
    )
  }
  const symbols = settings.symbols ?? liveSymbols
  output.err(`The exchange is out of reach (${url}: ${problem}): simulating ${symbols.join(', ')}.`)
  return { plan: planRun('simulator', settings, options), isFallback: true }
}

/** That of them all: they are read as one. */
async function marketOfTapes(
  tapes: readonly string[],
  market: Market,
  origins: CommandContext['origins'],
): Promise<Market> {
  const markets = new Set<Market>()
  for (const tape of tapes) markets.add(await marketOfTape(tape, market, origins))
  if (markets.size > 1) {
    throw new UsageError(
      `${tapes.join(' and ')}: some are tapes of invented prices and some are not, so they are not read as one.`,
    )
  }
  return [...markets][0] ?? market
}

/** A tape of invented prices says so, and is never read as one of a market. */
async function marketOfTape(tape: string, market: Market, origins: CommandContext['origins']): Promise<Market> {
  const isSimulated = isMarkedSimulated((await inspectTape(tape)).firstLines)
  if (isSimulated && origins.market !== 'default' && market !== 'simulated') {
    throw new UsageError(
      `${tape} is a tape of invented prices, by its first line: leave --market ${market} (${origins.market}) out.`,
    )
  }
  if (!isSimulated && market === 'simulated') {
    throw new UsageError(
      `--market simulated names invented prices, and ${tape} is no tape that \`millrace record\` made of them.`,
    )
  }
  return isSimulated ? 'simulated' : market
}
