import { intervals } from '../../src/market/interval.ts'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { realtime } from '../../src/pipelines/realtime.ts'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import type { LogWriter } from '../../src/runtime/log.ts'
import { binanceFeed } from '../../src/sources/binance/binanceFeed.ts'
import { runIngest } from '../../src/sources/ingest/runIngest.ts'
import { marketFeed } from '../../src/sources/market/marketFeed.ts'
import { SeededTrading } from '../../src/testing/exchange/seededTrading.ts'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { testPipeline } from '../../src/testing/kit/testPipeline.ts'
import { MemoryLog } from '../../src/testing/memoryLog.ts'
import { Random } from '../../src/testing/random.ts'

export interface ExchangeChaosOptions {
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
  readonly faults: Readonly<Record<string, number>>
  readonly weight_used: number
}

const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT', 'SOLUSDT']
const partitions = 4
/** So much faster than the clock on the wall. */
const speed = 10
const tradesPerSecond = 20
const faultsPerMinute = 4
/** How long the feed has, without faults, to fetch what it lacks: longer than any refusal. */
const settleMs = 600_000
/** Looking takes a while in which nobody listens. */
const lookEveryS = 20

/** An ingest of a simulated exchange with faults one after another, stopped and started now and then; then its log against what there was, trade by trade and candle by candle. */
export async function chaosOnExchange({ minutes, seed, say }: ExchangeChaosOptions): Promise<ExchangeChaosSummary> {
  const clock = fastClock()
  const random = new Random(seed).fork('ingest')
  const exchange = await SimulatedExchange.start({ symbols, seed, clock, startMs: clock.now() })
  const log = new SeenLog()
  const feed = () =>
    marketFeed(
      binanceFeed({
        market: 'spot',
        symbols,
        endpoints: exchange,
        isSimulated: true,
        clock,
        onNotice: (notice) => say(`  feed: ${notice}`),
      }),
    )
  let ingest = startIngest(feed(), log, clock)
  let starts = 1
  const onFault = (what: string) => say(`fault: ${what}`)
  const trading = new SeededTrading({ exchange, seed, tradesPerSecond, faultsPerMinute, clock, onFault })
  trading.start()
  const end = clock.now() + minutes * 60_000
  while (clock.now() < end) {
    await clock.sleep(random.int(20_000, 240_000))
    await ingest.stop()
    say('the ingest is stopped and started again')
    ingest = startIngest(feed(), log, clock)
    starts++
  }
  await trading.stop()
  exchange.forgetRefusals()
  const settled = clock.now() + settleMs
  let found = compareTrades(exchange, log)
  while (found.missing > 0 && clock.now() < settled) {
    for (let second = 0; second < lookEveryS; second++) {
      await clock.sleep(1_000)
      exchange.tick(clock.now())
    }
    found = compareTrades(exchange, log)
    say(`${found.missing} trades are missing still`)
  }
  const openGaps = ingest.openGaps()
  await ingest.stop()
  const candles = compareCandles(exchange, log)
  await exchange.close()
  return {
    ...found,
    ...candles,
    open_gaps: openGaps,
    faults: { ...Object.fromEntries(trading.faults), 'ingest stopped': starts - 1 },
    weight_used: exchange.spentWeight,
  }
}

function fastClock(): Clock {
  const startedAt = Date.now()
  const origin = performance.now()
  return {
    now: () => startedAt + Math.floor((performance.now() - origin) * speed),
    sleep: (ms, signal) => systemClock.sleep(ms / speed, signal),
  }
}

function startIngest(feed: ReturnType<typeof marketFeed>, log: SeenLog, clock: Clock) {
  const stopping = new AbortController()
  let openGaps = 0
  const done = runIngest({
    feed,
    writer: log.writer(),
    producer: 'chaos',
    partitions,
    clock,
    signal: stopping.signal,
    onProgress: ({ feed: progress }) => {
      openGaps = progress?.counts.openGaps ?? openGaps
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
  /** In order, by partition. */
  readonly records: LoggedRecord[][] = Array.from({ length: partitions }, () => [])

  writer(): LogWriter {
    const inner = this.#log.writer()
    return {
      claim: (producer) => inner.claim(producer),
      append: async (records, position) => {
        await inner.append(records, position)
        for (const { partition, key, timestamp, value } of records) {
          this.records[partition]?.push({ key: textOf(key), timestamp, value: textOf(value) ?? '' })
        }
      },
      close: () => inner.close(),
    }
  }
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString()
}

function compareTrades(exchange: SimulatedExchange, log: SeenLog) {
  const seen = new Map<string, Set<number>>(symbols.map((symbol) => [symbol, new Set()]))
  let duplicates = 0
  let outOfOrder = 0
  for (const records of log.records) {
    const newest = new Map<string, number>()
    for (const { key, value } of records) {
      const id = key === null || value.startsWith('{"e":"gap"') ? undefined : Number(/"t":(\d+)/.exec(value)?.[1])
      if (key === null || id === undefined || Number.isNaN(id)) continue
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

function compareCandles(exchange: SimulatedExchange, log: SeenLog) {
  let compared = 0
  let different = 0
  let deadLetters = 0
  for (const records of log.records) {
    if (records.length === 0) continue
    const run = testPipeline(realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' })), { restoreEvery: 2_000 })
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
  const first = records.find(({ key, value }) => key === symbol && value.startsWith('{"stream"'))
  return Number(/"t":(\d+)/.exec(first?.value ?? '')?.[1] ?? 0)
}
