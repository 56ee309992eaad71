import { createHash } from 'node:crypto'
import type { Market } from '../../market/trade.ts'
import type { DataSet } from '../database.ts'
import { UsageError } from '../exit.ts'
import type { ResolvedSettings } from '../resolveSettings.ts'
import type { SettingValues } from '../settings.ts'

export type SourceKind = 'binance' | 'simulator' | 'tape'

export const liveSymbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'] as const

type RunSettings = Pick<
  SettingValues,
  'source' | 'tape' | 'untilEnd' | 'closeOpen' | 'market' | 'timeUnit' | 'symbols' | 'simulatorSeed'
>

/** The source that the settings name, or null where it depends on whether the exchange answers. Throws `UsageError`. */
export function namedSource(settings: RunSettings): SourceKind | null {
  const source = settings.source ?? (settings.tape === undefined ? null : 'tape')
  if (source === 'tape' && settings.tape === undefined) {
    throw new UsageError('--source tape needs a file: name one with --tape FILE.')
  }
  if (source !== 'tape') {
    if (settings.tape !== undefined)
      throw new UsageError(`--tape is only for --source tape, not for --source ${source}.`)
    if (settings.untilEnd) throw new UsageError('--until-end needs a source that ends: name one with --tape FILE.')
  }
  if (settings.closeOpen && !settings.untilEnd)
    throw new UsageError('--close-open is only allowed together with --until-end.')
  return source
}

/** What a run does, before anything is opened. */
export interface RunPlan {
  readonly source: SourceKind
  readonly market: Market
  readonly dataSet: DataSet
  readonly topic: string
  /** In whose name the ingest keeps its position. */
  readonly producer: string
  readonly timeUnit: 'ms' | 'us'
  /** null takes all. */
  readonly symbols: readonly string[] | null
  /** For people. */
  readonly sourceText: string
}

/**
 * @param tapeTopic the topic of the tape's own, for a tape
 */
export function planRun(source: SourceKind, settings: RunSettings, tapeTopic: string | null): RunPlan {
  if (source === 'simulator') {
    return {
      source,
      market: 'simulated',
      dataSet: 'simulated',
      topic: 'crypto.trades.raw',
      producer: 'simulator',
      timeUnit: 'ms',
      symbols: settings.symbols ?? liveSymbols,
      sourceText: `simulator, seed ${settings.simulatorSeed}`,
    }
  }
  const { market, timeUnit } = settings
  if (source === 'binance') {
    return {
      source,
      market,
      dataSet: 'public',
      topic: market === 'usdm' ? 'crypto.trades.usdm.raw' : 'crypto.trades.raw',
      producer: 'binance',
      timeUnit,
      symbols: settings.symbols ?? liveSymbols,
      sourceText: `binance ${market}`,
    }
  }
  return {
    source,
    market,
    dataSet: 'public',
    topic: `${tapeTopic ?? ''}${readingOf(settings)}`,
    producer: 'tape',
    timeUnit,
    symbols: settings.symbols ?? null,
    sourceText: `tape ${settings.tape ?? ''}`,
  }
}

/**
 * What sets one reading of a tape apart from another, as the end of its topic. A topic remembers how far its tape was read: without this, a tape that
 * was read with other symbols, or as another market, would count as done.
 */
function readingOf(settings: RunSettings): string {
  const { market, timeUnit, symbols } = settings
  const taken =
    symbols === undefined
      ? ''
      : `.${createHash('sha256')
          .update([...symbols].sort().join(','))
          .digest('hex')
          .slice(0, 8)}`
  return `${market === 'spot' ? '' : `.${market}`}${timeUnit === 'ms' ? '' : `.${timeUnit}`}${taken}`
}

/** The command that shows what this run makes. */
export function nextCommand(
  plan: RunPlan,
  symbol: string,
  settings: SettingValues,
  origins: ResolvedSettings['origins'],
): string {
  const folder = origins.dataDir === 'flag' ? ` --data-dir ${settings.dataDir}` : ''
  const market = plan.market === 'spot' ? '' : ` --market ${plan.market}`
  return `npx millrace candles --symbol ${symbol} --interval 1m${market}${folder}`
}
