import { tapeTopic } from '../../sources/tapeFile.ts'
import type { CommandContext } from '../commandContext.ts'
import { pingUrl, probeTimeoutMs, unreachable } from './exchangeProbe.ts'
import { liveSymbols, type PlanOptions, planRun, type RunPlan, type SourceKind } from './runPlan.ts'

export interface ChosenPlan {
  readonly plan: RunPlan
  /** True when nobody asked for the simulator and the exchange did not answer. */
  readonly isFallback: boolean
}

/** @param named the source that was asked for, or null where it depends on whether the exchange answers */
export async function choosePlan(
  { settings, output }: CommandContext,
  named: SourceKind | null,
  options: PlanOptions = {},
): Promise<ChosenPlan> {
  if (named === 'tape') {
    const ofTape = await tapeTopic(settings.tape?.[0] ?? '')
    return { plan: planRun('tape', settings, { ...options, tapeTopic: ofTape }), isFallback: false }
  }
  if (named !== null) return { plan: planRun(named, settings, options), isFallback: false }
  const url = pingUrl(settings.market === 'usdm' ? 'usdm' : 'spot', settings.binanceRestUrl)
  const problem = await unreachable(url, probeTimeoutMs)
  if (problem === null) return { plan: planRun('binance', settings, options), isFallback: false }
  const symbols = settings.symbols ?? liveSymbols
  output.err(`The exchange is out of reach (${url}: ${problem}): simulating ${symbols.join(', ')}.`)
  return { plan: planRun('simulator', settings, options), isFallback: true }
}
