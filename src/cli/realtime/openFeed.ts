import { topicOfStream } from '../../market/streams/exchangeTopics.ts'
import { kindOfStream } from '../../market/streams/frameKind.ts'
import type { Feed } from '../../runtime/log/feed.ts'
import type { BinanceFeedOptions } from '../../sources/binance/binanceFeed.ts'
import type { OtherKind } from '../../sources/binance/streams/streamFrame.ts'
import type { FrameFeed } from '../../sources/market/frameFeed.ts'
import { marketFeed } from '../../sources/market/marketFeed.ts'
import { simulatorFeed } from '../../sources/simulator/simulatorFeed.ts'
import { followingFeed } from '../../sources/symbols/followingFeed.ts'
import { followingStreams } from '../../sources/symbols/followingStreams.ts'
import { SymbolsFollower } from '../../sources/symbols/followSymbols.ts'
import { tapesFeed } from '../../sources/tapes.ts'
import type { SettingValues } from '../settings.ts'
import { liveSymbols, type RunPlan } from './runPlan.ts'

/** A feed and where it goes. */
export interface TopicFeed {
  readonly feed: Feed
  readonly topic: string
}

/** The topics that are filled beside that of the trades: those of the streams that the file of symbols wants. */
export function topicsBeside({ streams, market }: RunPlan): readonly string[] {
  return otherKindsOf(streams).map((kind) => topicOfStream(kind, market))
}

/** Where the records of a run come from: its trades first, then those of other streams. */
export async function openFeeds(
  plan: RunPlan,
  settings: SettingValues,
  onNotice: (notice: string) => void,
): Promise<readonly [TopicFeed, ...TopicFeed[]]> {
  const { timeUnit, symbols, symbolsFile, streams, market, topic } = plan
  const { source } = plan
  if (symbolsFile === null || (source !== 'binance' && source !== 'coinbase')) {
    const frames = await openFrames(plan, settings, onNotice)
    return [{ feed: marketFeed(frames, { timeUnit, symbols }), topic }]
  }
  const kinds = otherKindsOf(streams)
  const follower = new SymbolsFollower({ path: symbolsFile, onNotice, onChange: tellOfNew(kinds, onNotice) }, streams)
  const feedOf =
    source === 'coinbase'
      ? (wanted: readonly string[]) => openCoinbase(wanted, plan, settings, onNotice)
      : (wanted: readonly string[]) => openTrades(wanted, accessOf(plan, settings, onNotice))
  const first = await feedOf(symbols ?? [])
  const trades = followingFeed({ ...first, follower, feedOf })
  if (source === 'coinbase') return [{ topic, feed: marketFeed(trades, { timeUnit, symbols: null }) }]
  const { binanceStreams } = await import('../../sources/binance/streams/streamFeed.ts')
  const common = accessOf(plan, settings, onNotice)
  const beside = kinds.map((kind) => ({
    topic: topicOfStream(kind, market),
    feed: followingStreams({
      follower,
      choose: (all) => all.filter((stream) => kindOfStream(stream) === kind),
      feedOf: (wanted) => binanceStreams({ ...common, kind, streams: wanted }),
    }),
  }))
  // The exchange sends what was asked for, and what is asked for changes.
  return [{ topic, feed: marketFeed(trades, { timeUnit, symbols: null }) }, ...beside]
}

/** The frames of trades as they come, before anything is left out of them. */
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
  if (plan.source === 'coinbase') return openCoinbase(plan.symbols ?? [], plan, settings, onNotice)
  return openTrades(plan.symbols ?? liveSymbols, accessOf(plan, settings, onNotice))
}

async function openCoinbase(
  symbols: readonly string[],
  plan: RunPlan,
  { coinbaseWsUrl: streamUrl, coinbaseRestUrl: restUrl, shard }: SettingValues,
  onNotice: (notice: string) => void,
): Promise<FrameFeed> {
  const { coinbaseFeed } = await import('../../sources/coinbase/coinbaseFeed.ts')
  return coinbaseFeed({
    symbols,
    ...(shard === undefined ? {} : { shard }),
    endpoints: { ...(streamUrl === undefined ? {} : { streamUrl }), ...(restUrl === undefined ? {} : { restUrl }) },
    isSimulated: plan.dataSet === 'simulated',
    onNotice,
  })
}

async function openTrades(symbols: readonly string[], access: Omit<BinanceFeedOptions, 'symbols'>): Promise<FrameFeed> {
  // Imported here because the WebSocket client is of no use to the other sources.
  const { binanceFeed } = await import('../../sources/binance/binanceFeed.ts')
  return binanceFeed({ ...access, symbols })
}

function accessOf(
  plan: RunPlan,
  { binanceWsUrl: streamUrl, binanceRestUrl: restUrl, shard }: SettingValues,
  onNotice: (notice: string) => void,
): Omit<BinanceFeedOptions, 'symbols'> {
  return {
    market: plan.market === 'usdm' ? 'usdm' : 'spot',
    ...(shard === undefined ? {} : { shard }),
    timeUnit: plan.timeUnit,
    isSimulated: plan.dataSet === 'simulated',
    endpoints: { ...(streamUrl === undefined ? {} : { streamUrl }), ...(restUrl === undefined ? {} : { restUrl }) },
    onNotice,
  }
}

function otherKindsOf(streams: readonly string[]): readonly OtherKind[] {
  const kinds = new Set(streams.map(kindOfStream))
  return [...kinds].filter((kind): kind is OtherKind => kind !== null && kind !== 'other' && kind !== 'trade')
}

/** A kind of stream that nobody wanted at the start has no topic open. */
function tellOfNew(
  open: readonly OtherKind[],
  onNotice: (notice: string) => void,
): (wanted: readonly string[]) => void {
  return (wanted) => {
    const more = otherKindsOf(wanted).filter((kind) => !open.includes(kind))
    if (more.length > 0)
      onNotice(
        `nobody wanted ${more.join(', ')} when this was started, so no topic is open for it: start again for that.`,
      )
  }
}
