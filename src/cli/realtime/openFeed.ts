import type { Feed } from '../../runtime/feed.ts'
import type { FrameFeed } from '../../sources/market/frameFeed.ts'
import { marketFeed } from '../../sources/market/marketFeed.ts'
import { simulatorFeed } from '../../sources/simulator/simulatorFeed.ts'
import { followingFeed } from '../../sources/symbols/followingFeed.ts'
import { SymbolsFollower } from '../../sources/symbols/followSymbols.ts'
import { tapesFeed } from '../../sources/tapes.ts'
import type { SettingValues } from '../settings.ts'
import { liveSymbols, type RunPlan } from './runPlan.ts'
import { tradesOf } from './symbolsOfFile.ts'

/** Where the trades of a run come from. */
export async function openFeed(
  plan: RunPlan,
  settings: SettingValues,
  onNotice: (notice: string) => void,
): Promise<Feed> {
  const { timeUnit, symbols, symbolsFile } = plan
  const frames = await openFrames(plan, settings, onNotice)
  if (symbolsFile === null) return marketFeed(frames, { timeUnit, symbols })
  const follower = new SymbolsFollower({ path: symbolsFile, onNotice }, symbols ?? [], tradesOf)
  const following = followingFeed({
    name: frames.name,
    follower,
    feedOf: (wanted) => openFrames({ ...plan, symbols: wanted }, settings, onNotice),
  })
  // The exchange sends what was asked for, and what is asked for changes.
  return marketFeed(following, { timeUnit, symbols: null })
}

/** The frames as they come, before anything is left out of them. */
export async function openFrames(
  plan: RunPlan,
  settings: SettingValues,
  onNotice: (notice: string) => void,
): Promise<FrameFeed> {
  if (plan.source === 'tape') return { ...tapesFeed(settings.tape ?? []), isSimulated: plan.dataSet === 'simulated' }
  if (plan.source === 'simulator') {
    return simulatorFeed({
      symbols: plan.symbols ?? liveSymbols,
      seed: settings.simulatorSeed,
      tradesPerSecond: settings.simulatorRate,
    })
  }
  // Imported here because the WebSocket client is of no use to the other sources.
  const { binanceFeed } = await import('../../sources/binance/binanceFeed.ts')
  const { binanceWsUrl: streamUrl, binanceRestUrl: restUrl } = settings
  return binanceFeed({
    market: plan.market === 'usdm' ? 'usdm' : 'spot',
    symbols: plan.symbols ?? liveSymbols,
    ...(settings.shard === undefined ? {} : { shard: settings.shard }),
    timeUnit: plan.timeUnit,
    endpoints: { ...(streamUrl === undefined ? {} : { streamUrl }), ...(restUrl === undefined ? {} : { restUrl }) },
    onNotice,
  })
}
