import { coinbaseCodec } from '../../src/market/coinbaseCodec.ts'
import { intervals } from '../../src/market/interval.ts'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { realtime } from '../../src/pipelines/realtime.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import type { Feed } from '../../src/runtime/log/feed.ts'
import type { LogWriter } from '../../src/runtime/log/log.ts'
import { binanceFeed } from '../../src/sources/binance/binanceFeed.ts'
import { binanceStreams } from '../../src/sources/binance/streams/streamFeed.ts'
import { type OtherKind, readStreamFrame } from '../../src/sources/binance/streams/streamFrame.ts'
import { coinbaseFeed } from '../../src/sources/coinbase/coinbaseFeed.ts'
import { runIngest } from '../../src/sources/ingest/runIngest.ts'
import { marketFeed } from '../../src/sources/market/marketFeed.ts'
import type { SpokenExchange } from '../../src/testing/exchange/exchangeWords.ts'
import { SeededTrading } from '../../src/testing/exchange/seededTrading.ts'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { testPipeline } from '../../src/testing/kit/testPipeline.ts'
import { MemoryLog } from '../../src/testing/memoryLog.ts'
import { Random } from '../../src/testing/random.ts'
import { PacedClock } from './pacedClock.ts'
import { StatusWatch } from './statusWatch.ts'

export interface ExchangeChaosOptions {
  /** Whose words it speaks. Of Coinbase there are trades alone. */
  readonly speaks: SpokenExchange
  /** Of the exchange's time. */
  readonly minutes: number
  readonly seed: number
  readonly say: (line: string) => void
}

/** What came of it, as it is printed. */
export interface ExchangeChaosSummary {
  readonly trades: number
  readonly missing: number
  readonly duplicates: number
  readonly out_of_order: number
  readonly candles_compared: number
  readonly candles_different: number
  readonly dead_letters: number
  readonly open_gaps: number
  /** The other streams, by kind; only aggregates tell by their ids what is missing. */
  readonly streams: Readonly<Record<string, StreamOutcome>>
  /** Of the status that was asked for once a second: how often a lasting trouble was told, how often it was not, and how often one was told that there was not. */
  readonly status: {
    readonly samples: number
    readonly told: number
    readonly silent: number
    readonly crying: number
  }
  readonly faults: Readonly<Record<string, number>>
  readonly weight_used: number
}

interface StreamOutcome {
  readonly records: number
  readonly missing: number
  readonly duplicates: number
  readonly out_of_order: number
}

const streamNames = {
  aggTrade: 'aggTrade',
  bookTicker: 'bookTicker',
  ticker: 'ticker',
  miniTicker: 'miniTicker',
  kline: 'kline_1m',
  partialDepth: 'depth5',
} as const satisfies Partial<Record<OtherKind, string>>
type ChaosKind = keyof typeof streamNames
const symbolsOf: Readonly<Record<SpokenExchange, readonly string[]>> = {
  binance: ['BTCUSDT', 'ETHUSDT', 'BNBUSDT', 'SOLUSDT'],
  coinbase: ['BTC-USD', 'ETH-USD', 'SOL-USD', 'XRP-USD'],
}
const partitions = 4
/** So much faster than the clock on the wall. */
const speed = 10
const tradesPerSecond = 20
const faultsPerMinute = 4
/** How long the feed has, without faults, to fetch what it lacks: longer than any refusal. */
const settleMs = 600_000
/** Looking takes a while in which nobody listens. */
const lookEveryS = 20
const calmS = 100

/** An ingest of a simulated exchange with faults one after another, stopped and started now and then; then its log against what there was, trade by trade and candle by candle. */
export async function chaosOnExchange({
  speaks,
  minutes,
  seed,
  say,
}: ExchangeChaosOptions): Promise<ExchangeChaosSummary> {
  const clock = new PacedClock(speed)
  const random = new Random(seed).fork('ingest')
  const symbols = symbolsOf[speaks]
  const kinds = speaks === 'binance' ? (Object.keys(streamNames) as ChaosKind[]) : []
  const exchange = await SimulatedExchange.start({ speaks, symbols, seed, clock, startMs: clock.now() })
  const log = new SeenLog()
  const logs = new Map(kinds.map((kind) => [kind, new SeenLog()]))
  const watch = new StatusWatch({ exchange, now: () => clock.now(), inLog: (symbol) => log.ids(symbol), say })
  const start = (): readonly Running[] => {
    const common = {
      ...{ endpoints: exchange, isSimulated: true, clock },
      onNotice: (notice: string) => say(`  feed: ${notice}`),
    } as const
    watch.disturbed()
    return [
      startIngest(
        marketFeed(
          speaks === 'coinbase'
            ? coinbaseFeed({ ...common, symbols })
            : binanceFeed({ ...common, market: 'spot', symbols }),
        ),
        ...([log, clock, watch] as const),
      ),
      ...[...logs].map(([kind, of]) => {
        const streams = symbols.map((symbol) => `${symbol.toLowerCase()}@${streamNames[kind]}`)
        return startIngest(binanceStreams({ ...common, market: 'spot', kind, streams }), of, clock, watch)
      }),
    ]
  }
  const stop = (all: readonly Running[]) => Promise.all(all.map((one) => one.stop()))
  let ingests = start()
  let starts = 1
  const onFault = (what: string) => {
    watch.disturbed()
    say(`fault: ${what}`)
  }
  const onFaultEnd = () => watch.disturbed()
  const trading = new SeededTrading({ exchange, seed, tradesPerSecond, faultsPerMinute, clock, onFault, onFaultEnd })
  const sampling = new AbortController()
  const sampled = sampleStatus(watch, clock, sampling.signal)
  trading.start()
  const end = clock.now() + minutes * 60_000
  while (clock.now() < end) {
    await clock.sleep(random.int(20_000, 240_000))
    await stop(ingests)
    say('the ingest is stopped and started again')
    ingests = start()
    starts++
  }
  await trading.stop()
  exchange.forgetRefusals()
  const settled = clock.now() + settleMs
  let found = compareTrades(exchange, log)
  const aggLog = logs.get('aggTrade')
  const aggs = () => (aggLog === undefined ? { missing: 0 } : compareAggs(exchange, aggLog))
  while ((found.missing > 0 || aggs().missing > 0) && clock.now() < settled) {
    // What an aggregate has missed its next one tells.
    if (aggs().missing > 0) for (const symbol of symbols) exchange.trade(symbol, { time: clock.now() })
    for (let second = 0; second < lookEveryS; second++) {
      await clock.sleep(1_000)
      exchange.tick(clock.now())
    }
    found = compareTrades(exchange, log)
    say(`${found.missing} trades and ${aggs().missing} aggregates are missing still`)
  }
  // Long enough for every refusal to be over: then all is well, and status has to say so.
  for (let second = 0; second < calmS; second++) {
    await clock.sleep(1_000)
    exchange.tick(clock.now())
    if (second % 5 === 0) for (const symbol of symbols) exchange.trade(symbol, { time: clock.now() })
  }
  await clock.sleep(5_000)
  found = compareTrades(exchange, log)
  sampling.abort()
  await sampled
  for (const line of watch.lines()) say(`at the end status says: ${line}`)
  const openGaps = ingests[0]?.openGaps() ?? 0
  await stop(ingests)
  const candles = compareCandles(exchange, log, speaks)
  const streams = Object.fromEntries(
    [...logs].map(([kind, of]) => [
      kind,
      kind === 'aggTrade' ? compareAggs(exchange, of) : compareStream(kind, of, symbols),
    ]),
  )
  await exchange.close()
  clock.close()
  const { samples, told, silent, crying } = watch
  return {
    ...found,
    ...candles,
    open_gaps: openGaps,
    streams,
    status: { samples, told, silent, crying },
    faults: { ...Object.fromEntries(trading.faults), 'ingest stopped': starts - 1 },
    weight_used: exchange.spentWeight,
  }
}

async function sampleStatus(watch: StatusWatch, clock: Clock, end: AbortSignal): Promise<void> {
  while (!end.aborted) {
    await clock.sleep(1_000, end)
    watch.sample()
  }
}

interface Running {
  openGaps(): number
  stop(): Promise<void>
}

function startIngest(feed: Feed, log: SeenLog, clock: Clock, watch: StatusWatch): Running {
  const stopping = new AbortController()
  let openGaps = 0
  const done = runIngest({
    feed,
    writer: log.writer(),
    producer: 'chaos',
    partitions,
    clock,
    signal: stopping.signal,
    onProgress: (progress) => {
      watch.hear(feed.name, progress)
      openGaps = progress.feed?.counts.openGaps ?? openGaps
    },
  })
  return {
    openGaps: () => openGaps,
    stop: async () => {
      stopping.abort()
      const { counts } = await done
      openGaps = counts.openGaps ?? openGaps
    },
  }
}

interface LoggedRecord {
  readonly key: string | null
  readonly timestamp: number
  readonly value: string
}

/** A log that can be read at once. */
class SeenLog {
  readonly #log = new MemoryLog({ partitions })
  readonly #ids = new Map<string, Set<number>>()
  /** In order, by partition. */
  readonly records: LoggedRecord[][] = Array.from({ length: partitions }, () => [])

  /** The ids of a symbol's trades that are in it. */
  ids(symbol: string): Set<number> {
    const known = this.#ids.get(symbol) ?? new Set()
    this.#ids.set(symbol, known)
    return known
  }

  writer(): LogWriter {
    const inner = this.#log.writer()
    return {
      claim: (producer) => inner.claim(producer),
      append: async (records, position) => {
        await inner.append(records, position)
        for (const { partition, key, timestamp, value } of records) {
          const record = { key: textOf(key), timestamp, value: textOf(value) ?? '' }
          this.records[partition]?.push(record)
          const id = tradeIdOf(record)
          if (id !== null) this.ids(record.key ?? '').add(id)
        }
      },
      close: () => inner.close(),
    }
  }
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString()
}

/** Null for a heartbeat, a word on a gap and frames of other streams. */
function tradeIdOf({ key, value }: Pick<LoggedRecord, 'key' | 'value'>): number | null {
  if (key === null || !/"e":"trade"|"type":"match"/.test(value)) return null
  return Number(/"(?:t|trade_id)":(\d+)/.exec(value)?.[1])
}

function compareAggs(exchange: SimulatedExchange, log: SeenLog): StreamOutcome {
  const outcome = compareStream('aggTrade', log, exchange.symbols)
  let missing = 0
  for (const symbol of exchange.symbols) {
    const ids = new Set<number>()
    for (const { key, value } of log.records.flat()) if (key === symbol) ids.add(orderOf('aggTrade', value)[0])
    const first = Math.min(...ids)
    const known = new Set(exchange.trades(symbol).map(({ orderId }) => orderId))
    for (const id of known) if (id >= first && !ids.has(id)) missing++
  }
  return { ...outcome, missing }
}

/** Repeats and disorder within each stream, by what its frames are ordered by. */
function compareStream(kind: OtherKind, log: SeenLog, symbols: readonly string[]): StreamOutcome {
  let records = 0
  let duplicates = 0
  let outOfOrder = 0
  for (const symbol of symbols) {
    let before: readonly [number, number] = [-1, -1]
    for (const { key, value } of log.records.flat()) {
      if (key !== symbol) continue
      records++
      const order = orderOf(kind, value)
      if (order[0] === before[0] && order[1] === before[1]) duplicates++
      else if (order[0] < before[0] || (order[0] === before[0] && order[1] < before[1])) outOfOrder++
      before = order
    }
  }
  return { records, missing: 0, duplicates, out_of_order: outOfOrder }
}

function orderOf(kind: OtherKind, value: string): readonly [number, number] {
  const facts = readStreamFrame(Buffer.from(value), kind)
  if (facts === null || facts === 'other') throw new Error(`a record of ${kind} cannot be read: ${value.slice(0, 100)}`)
  return [facts.order, facts.minor]
}

function compareTrades(exchange: SimulatedExchange, log: SeenLog) {
  const { symbols } = exchange
  const seen = new Map<string, Set<number>>(symbols.map((symbol) => [symbol, new Set()]))
  let duplicates = 0
  let outOfOrder = 0
  for (const records of log.records) {
    const newest = new Map<string, number>()
    for (const { key, value } of records) {
      const id = tradeIdOf({ key, value })
      if (key === null || id === null) continue
      const ids = seen.get(key)
      if (ids?.has(id)) duplicates++
      ids?.add(id)
      if (value.includes('"fill":true')) continue
      if (id < (newest.get(key) ?? 0)) outOfOrder++
      newest.set(key, id)
    }
  }
  let trades = 0
  let missing = 0
  for (const symbol of symbols) {
    const ids = seen.get(symbol) ?? new Set()
    // What happened before the feed first listened is nobody's.
    const first = Math.min(...ids)
    for (const { id } of exchange.trades(symbol)) {
      if (id < first) continue
      trades++
      if (!ids.has(id)) missing++
    }
  }
  return { trades, missing, duplicates, out_of_order: outOfOrder }
}

function compareCandles(exchange: SimulatedExchange, log: SeenLog, speaks: SpokenExchange) {
  const codec = speaks === 'coinbase' ? coinbaseCodec() : tradeCodec({ market: 'spot', timeUnit: 'ms' })
  let compared = 0
  let different = 0
  let deadLetters = 0
  for (const records of log.records) {
    if (records.length === 0) continue
    const run = testPipeline(realtime(codec), { restoreEvery: 2_000 })
    for (const record of records) run.push(record)
    run.closeOpen()
    deadLetters += run.deadLetters().length
    for (const interval of intervals) {
      for (const candle of run.rows(interval)) {
        const right = exchange.klines(candle.symbol, interval).find(({ openTime }) => openTime === candle.openTime)
        // The first one has only what came after the feed began to listen.
        if (right === undefined || right.firstTradeId < firstIdOf(records, candle.symbol)) continue
        compared++
        const isSame =
          BigInt(candle.open) === right.open &&
          BigInt(candle.high) === right.high &&
          BigInt(candle.low) === right.low &&
          BigInt(candle.close) === right.close &&
          BigInt(candle.volume) === right.volume &&
          candle.quoteVolume === right.quoteVolume &&
          candle.tradeCount === right.tradeCount &&
          BigInt(candle.takerBuyVolume) === right.takerBuyVolume &&
          candle.takerBuyQuoteVolume === right.takerBuyQuoteVolume
        if (!isSame) different++
      }
    }
    run.finish()
  }
  return { candles_compared: compared, candles_different: different, dead_letters: deadLetters }
}

function firstIdOf(records: readonly LoggedRecord[], symbol: string): number {
  const first = records.find((record) => record.key === symbol && tradeIdOf(record) !== null)
  return first === undefined ? 0 : (tradeIdOf(first) ?? 0)
}
