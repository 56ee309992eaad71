import { createHash } from 'node:crypto'
import { isSchemaName } from '../../host/databaseNames.ts'
import { isSimulatedTopic } from '../../host/simulatedTopic.ts'
import type { Market } from '../../market/trade.ts'
import { commandFor } from '../commandFor.ts'
import { type DataSet, isSimulatedSchema, simulatedSchemaOf } from '../database.ts'
import { UsageError } from '../exit.ts'
import type { ResolvedSettings } from '../resolveSettings.ts'
import type { SettingValues } from '../settings.ts'
import { closeOpenNeedsUntilEnd } from '../workers.ts'

export type SourceKind = 'binance' | 'coinbase' | 'simulator' | 'tape' | 'none'

export const liveSymbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'] as const
export const coinbaseSymbols = ['BTC-USD', 'ETH-USD'] as const

type RunSettings = Pick<
  SettingValues,
  | 'source'
  | 'tape'
  | 'untilEnd'
  | 'closeOpen'
  | 'market'
  | 'timeUnit'
  | 'symbols'
  | 'simulatorSeed'
  | 'logTopic'
  | 'schema'
  | 'shard'
  | 'binanceWsUrl'
>

/** The source that the settings name, or null where it depends on whether the exchange answers. Throws `UsageError`. */
export function namedSource(settings: RunSettings, origins: ResolvedSettings['origins']): SourceKind | null {
  const source = settings.source ?? (settings.tape === undefined ? null : 'tape')
  if (source === 'tape' && settings.tape === undefined) {
    throw new UsageError('--source tape needs a file: name one with --tape FILE.')
  }
  if (source !== 'tape') {
    if (settings.tape !== undefined)
      throw new UsageError(`--tape is only for --source tape, not for --source ${source}.`)
    if (settings.untilEnd && source !== 'none')
      throw new UsageError('--until-end needs a source that ends: name one with --tape FILE.')
  }
  if (settings.closeOpen && !settings.untilEnd) throw new UsageError(closeOpenNeedsUntilEnd)
  if (settings.market === 'simulated' && source === null)
    throw new UsageError(
      '--market simulated names invented prices: say which, with --source simulator, none or binance (an exchange of your own that invents them).',
    )
  if (settings.market === 'simulated' && source === 'binance' && settings.binanceWsUrl === undefined)
    throw new UsageError(
      '--market simulated with --source binance is for an exchange that invents its prices, such as `npx millrace exchange`: name it with MILLRACE_BINANCE_WS_URL and MILLRACE_BINANCE_REST_URL.',
    )
  if (settings.shard !== undefined && source !== 'binance' && source !== 'coinbase' && source !== null)
    throw new UsageError(`--shard shares the symbols of an exchange out: leave it out for --source ${source}.`)
  if (source === 'simulator') refuseOfRealTrades(settings, origins)
  if (source === 'coinbase') refuseOfBinance(settings, origins)
  if (settings.market === 'coinbase' && source !== 'coinbase' && source !== 'none')
    throw new UsageError('--market coinbase is for --source coinbase, which has it by itself, and for --source none.')
  if (source === 'none' && origins.symbols === 'flag')
    throw new UsageError(
      '--symbols chooses what is taken in, and --source none takes nothing in: leave one of them out.',
    )
  return source
}

/** What is Binance's would be passed over in silence by another exchange. */
function refuseOfBinance({ market, timeUnit }: RunSettings, origins: ResolvedSettings['origins']): void {
  if (origins.market !== 'default' && market !== 'coinbase' && market !== 'simulated')
    throw new UsageError(`--source coinbase is a market of its own: leave --market ${market} (${origins.market}) out.`)
  if (origins.timeUnit === 'flag' && timeUnit !== 'ms')
    throw new UsageError('--source coinbase tells its times as ISO 8601: leave --time-unit out.')
}

/** What names a real market would be passed over in silence by a simulated one. */
function refuseOfRealTrades({ market, timeUnit }: RunSettings, origins: ResolvedSettings['origins']): void {
  if (origins.market !== 'default' && market !== 'simulated')
    throw new UsageError(
      `--source simulator invents trades of a market of its own, and --market ${market} (${origins.market}) names a real one: leave one of them out.`,
    )
  if (origins.timeUnit === 'flag' && timeUnit === 'us')
    throw new UsageError('--source simulator tells its times in ms: leave --time-unit out.')
}

/** What a run does, before anything is opened. */
export interface RunPlan {
  readonly source: SourceKind
  readonly market: Market
  readonly dataSet: DataSet
  /** Of the database. */
  readonly schema: string
  readonly topic: string
  /** In whose name the ingest keeps its position. */
  readonly producer: string
  readonly timeUnit: 'ms' | 'us'
  /** null takes all. */
  readonly symbols: readonly string[] | null
  /** Says which symbols are taken, also later on; null where nothing but `symbols` does. */
  readonly symbolsFile: string | null
  /** All streams that the file wants, those of trades among them: `btcusdt@kline_1m`. None without a file. */
  readonly streams: readonly string[]
  /** For people. */
  readonly sourceText: string
}

export interface PlanOptions {
  /** The topic of the tape's own, for a tape. */
  readonly tapeTopic?: string | null
  /** True for `ingest`: even a tape goes where workers wait for the market's trades, unless a topic is named. */
  readonly isIngestOnly?: boolean
  /** The file that the symbols come from, for an exchange. */
  readonly symbolsFile?: string | null
  /** What that file wants. */
  readonly streams?: readonly string[]
  /** False where nobody is to get invented prices without having asked for them; true if left out. */
  readonly mayFallBack?: boolean
}

/** Throws `UsageError` where invented and real prices would meet in one topic. */
export function planRun(source: SourceKind, settings: RunSettings, options: PlanOptions = {}): RunPlan {
  const { timeUnit } = settings
  if (timeUnit === 's') throw new UsageError('--time-unit s is for JSON lines; frames of trades tell ms or us.')
  if (source === 'simulator') {
    const topic = topicOf('simulated', settings)
    return {
      source,
      market: 'simulated',
      dataSet: 'simulated',
      schema: simulatedSchema(settings),
      topic,
      producer: 'simulator',
      timeUnit: 'ms',
      symbols: settings.symbols ?? liveSymbols,
      symbolsFile: null,
      streams: [],
      sourceText: `simulator, seed ${settings.simulatorSeed}`,
    }
  }
  const market = source === 'coinbase' && settings.market !== 'simulated' ? 'coinbase' : settings.market
  const dataSet = market === 'simulated' ? 'simulated' : 'public'
  const topic = topicOf(market, settings)
  const schema = dataSet === 'simulated' ? simulatedSchema(settings) : realSchema(settings)
  const common = {
    source,
    market,
    dataSet,
    schema,
    timeUnit,
    symbolsFile: null,
    streams: [] as readonly string[],
  } as const
  if (source === 'none') {
    return { ...common, topic, producer: 'none', symbols: null, sourceText: `topic ${topic}` }
  }
  const { shard } = settings
  const { symbolsFile = null, streams = [] } = options
  const part = shard === undefined ? null : `${shard.number}of${shard.of}`
  const partText = part === null ? '' : `, part ${part}`
  const producer = part === null ? source : `${source}-${part}`
  if (source === 'coinbase') {
    const symbols = settings.symbols ?? coinbaseSymbols
    // Frames of two exchanges never share a topic.
    const own =
      market === 'simulated' && settings.logTopic === undefined ? 'crypto.trades.coinbase.simulated.raw' : topic
    const sourceText = `coinbase ${market}${partText}`
    return { ...common, timeUnit: 'ms', topic: own, producer, symbols, symbolsFile, streams, sourceText }
  }
  if (source === 'binance') {
    const symbols = settings.symbols ?? liveSymbols
    const named =
      market === 'simulated' ? `an exchange of invented prices, ${settings.binanceWsUrl}` : `binance ${market}`
    const sourceText = `${named}${partText}`
    return { ...common, topic, producer, symbols, symbolsFile, streams, sourceText }
  }
  const own = `${options.tapeTopic ?? ''}${readingOf(settings)}`
  const isOwn = options.isIngestOnly !== true && settings.logTopic === undefined
  return {
    ...common,
    topic: isOwn ? own : topic,
    // In a topic with others, each tape, and each way of reading it, has a position of its own.
    producer: isOwn ? 'tape' : own.replace(/^crypto\.trades\./, ''),
    symbols: settings.symbols ?? null,
    sourceText: `tape ${(settings.tape ?? []).join(', then ')}`,
  }
}

const marketTopics: Readonly<Record<Market, string>> = {
  spot: 'crypto.trades.raw',
  usdm: 'crypto.trades.usdm.raw',
  coinbase: 'crypto.trades.coinbase.raw',
  simulated: 'crypto.trades.simulated.raw',
}

/** Whichever log it is in, a topic tells by its name whether its prices are invented. */
function topicOf(market: Market, { logTopic }: RunSettings): string {
  if (logTopic === undefined) return marketTopics[market]
  if (isSimulatedTopic(logTopic) !== (market === 'simulated')) {
    throw new UsageError(
      market === 'simulated'
        ? `--topic ${logTopic}: invented prices only go into a topic with "simulated" in its name, such as ${marketTopics.simulated}.`
        : `--topic ${logTopic} holds invented prices by its name: take another, or --market simulated.`,
    )
  }
  return logTopic
}

function simulatedSchema({ schema }: RunSettings): string {
  const simulated = simulatedSchemaOf(schema)
  if (isSchemaName(simulated)) return simulated
  throw new UsageError(
    `--schema ${schema} is too long: invented prices go into ${simulated}, and a name has at most 63 characters.`,
  )
}

function realSchema({ schema }: RunSettings): string {
  if (!isSimulatedSchema(schema)) return schema
  throw new UsageError(`--schema ${schema} is one of invented prices by its name: name another.`)
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
  const market = plan.market === 'spot' ? '' : ` --market ${plan.market}`
  const schema = origins.schema === 'flag' ? ` --schema ${settings.schema}` : ''
  return commandFor({ settings, origins }, `candles --symbol ${symbol} --interval 1m${market}${schema}`)
}
