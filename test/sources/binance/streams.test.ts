import { afterEach, beforeEach, expect, test } from 'vitest'
import { aggTradeCodec } from '../../../src/market/streams/aggTrade.ts'
import { bookTickerCodec } from '../../../src/market/streams/bookTicker.ts'
import { depthCodec } from '../../../src/market/streams/depthDiff.ts'
import { kindOfStream } from '../../../src/market/streams/frameKind.ts'
import { klineCodec } from '../../../src/market/streams/kline.ts'
import { miniTickerCodec } from '../../../src/market/streams/miniTicker.ts'
import { partialDepthCodec } from '../../../src/market/streams/partialDepth.ts'
import { tickerCodec } from '../../../src/market/streams/ticker.ts'
import { type Codec, Rejection } from '../../../src/runtime/log/codec.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { type BinanceStreamsOptions, binanceStreams } from '../../../src/sources/binance/streams/streamFeed.ts'
import { type OtherKind, otherKinds, readStreamFrame } from '../../../src/sources/binance/streams/streamFrame.ts'
import { StreamState } from '../../../src/sources/binance/streams/streamState.ts'
import { type IngestProgress, runIngest } from '../../../src/sources/ingest/runIngest.ts'
import type { LiveLimits } from '../../../src/sources/live/liveLimits.ts'
import { SimulatedExchange } from '../../../src/testing/exchange/simulatedExchange.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { hasCaptures, readCaptures } from '../../market/streams/captures.ts'
import { range } from './liveIngest.ts'

const start = Date.UTC(2024, 7, 9)
const quick: Partial<LiveLimits> = {
  firstBackoffMs: 5,
  longestBackoffMs: 50,
  idleReadMs: 20,
  overlapMs: 30,
  messageGapMs: 1,
}
const streamOf: Readonly<Record<OtherKind, string>> = {
  aggTrade: 'aggTrade',
  kline: 'kline_1m',
  ticker: 'ticker',
  miniTicker: 'miniTicker',
  bookTicker: 'bookTicker',
  depth: 'depth@100ms',
  partialDepth: 'depth5',
}
const spot = { market: 'spot', timeUnit: 'ms' } as const
const codecs: Readonly<Record<OtherKind, Codec<{ readonly symbol: string; readonly quality: number }>>> = {
  aggTrade: aggTradeCodec(spot),
  kline: klineCodec(spot),
  ticker: tickerCodec(spot),
  miniTicker: miniTickerCodec(spot),
  bookTicker: bookTickerCodec(spot),
  depth: depthCodec(spot),
  partialDepth: partialDepthCodec(spot),
}

let exchange: SimulatedExchange
const ingests: StreamIngest[] = []
beforeEach(async () => {
  exchange = await SimulatedExchange.start()
})
afterEach(async () => {
  await Promise.all(ingests.splice(0).map((one) => one.stop()))
  await exchange.close()
})

/** An ingest of one kind of stream. */
class StreamIngest {
  readonly log: MemoryLog
  readonly notices: string[] = []
  readonly #stop = new AbortController()
  readonly #done: ReturnType<typeof runIngest>
  progress: IngestProgress | null = null

  constructor(kind: OtherKind, options: Partial<BinanceStreamsOptions> = {}, log = new MemoryLog({ partitions: 4 })) {
    this.log = log
    const feed = binanceStreams({
      market: 'spot',
      kind,
      streams: ['BTCUSDT', 'ETHUSDT'].map((symbol) => `${symbol.toLowerCase()}@${streamOf[kind]}`),
      endpoints: exchange,
      isSimulated: true,
      jitter: () => 0,
      onNotice: (notice) => this.notices.push(notice),
      ...options,
      limits: { ...quick, ...options.limits },
    })
    this.#done = runIngest({
      feed,
      writer: log.writer(),
      producer: 'live',
      partitions: 4,
      signal: this.#stop.signal,
      batch: { lingerMs: 1 },
      onProgress: (progress) => {
        this.progress = progress
      },
    })
    ingests.push(this)
  }

  async records(kind: OtherKind) {
    const found: { partition: number; timestamp: number; key: string | null; text: string; value: unknown }[] = []
    const view = new RecordView()
    for (const partition of await this.log.partitions()) {
      const reader = this.log.reader(partition)
      reader.seek(0)
      for (;;) {
        const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 0 })
        if (batch === null) break
        while (batch.read(view)) {
          const text = view.valueText() ?? ''
          found.push({
            ...{ partition, timestamp: view.timestamp, key: view.keyText(), text },
            value: codecs[kind].decode(view),
          })
        }
      }
      await reader.close()
    }
    return found
  }

  async orders(kind: OtherKind, symbol = 'BTCUSDT'): Promise<readonly number[]> {
    const records = await this.records(kind)
    return records.flatMap(({ key, text }) => {
      const facts = readStreamFrame(Buffer.from(text), kind)
      return key === symbol && facts !== null && facts !== 'other' ? [facts.order] : []
    })
  }

  stop() {
    this.#stop.abort()
    return this.#done
  }
}

/** The exchange says how many are subscribed to trades alone. */
async function subscribed(stream: string, count = 1): Promise<void> {
  await expect.poll(() => exchange.subscribersOf(stream), { timeout: 10_000, interval: 5 }).toBe(count)
}

test.each(otherKinds)('%s comes into its topic once and in order, over replaced and lost connections', async (kind) => {
  const ingest = new StreamIngest(kind)
  const stream = `btcusdt@${streamOf[kind]}`
  await subscribed(stream)
  let step = 0
  const more = (count: number) => {
    for (let made = 0; made < count; made++) {
      step++
      for (const symbol of ['BTCUSDT', 'ETHUSDT']) exchange.trade(symbol, { time: start + step * 1_000 })
      exchange.tick(start + step * 1_000)
    }
  }
  more(70)
  await expect.poll(async () => (await ingest.orders(kind)).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(70)
  exchange.announceShutdown()
  await subscribed(stream, 2)
  // Both connections bring these.
  more(5)
  await subscribed(stream, 1)
  more(5)
  exchange.dropConnections()
  await subscribed(stream)
  more(10)
  const last = (await ingest.orders(kind)).at(-1)
  await expect
    .poll(async () => (await ingest.orders(kind)).at(-1), { timeout: 10_000 })
    .toBeGreaterThanOrEqual(last ?? 0)
  const newest = { aggTrade: step - 1, depth: step, bookTicker: step, partialDepth: step }
  const wanted = kind in newest ? newest[kind as keyof typeof newest] : start + step * 1_000
  await expect.poll(async () => (await ingest.orders(kind)).at(-1), { timeout: 10_000 }).toBeGreaterThanOrEqual(wanted)
  const records = await ingest.records(kind)
  const texts = records.map(({ text }) => text)
  expect(new Set(texts).size).toBe(texts.length)
  for (const symbol of ['BTCUSDT', 'ETHUSDT']) {
    const orders = await ingest.orders(kind, symbol)
    expect(orders).toStrictEqual([...orders].sort((a, b) => a - b))
    expect(orders.length).toBeGreaterThanOrEqual(80)
  }
  for (const { value, key } of records) {
    expect(value).not.toBeInstanceOf(Rejection)
    expect(value).toMatchObject({ symbol: key, quality: expect.any(Number) })
  }
  expect((await ingest.stop()).counts).toMatchObject({ unreadable: 0 })
})

test('a record says when its frame came, so that its quality counts the delay', async () => {
  const ingest = new StreamIngest('ticker')
  await subscribed('btcusdt@ticker')
  // Sent at a time of long ago, by its own words.
  exchange.trade('BTCUSDT', { time: start })
  exchange.tick(start)
  await expect.poll(async () => (await ingest.records('ticker')).length).toBe(1)
  const [late] = await ingest.records('ticker')
  expect(late?.timestamp).toBe(start)
  const now = Date.now()
  exchange.trade('BTCUSDT', { time: now })
  exchange.tick(now + 1)
  await expect.poll(async () => (await ingest.records('ticker')).length).toBe(2)
  const [, soon] = await ingest.records('ticker')
  const quality = (of: typeof late) => (of === undefined ? null : (of.value as { readonly quality: number }).quality)
  expect(quality(soon)).toBe((quality(late) ?? 0) + 10)
})

test('aggregates that were missed are fetched before what follows, however long REST is away within its patience', async () => {
  const ingest = new StreamIngest('aggTrade')
  await subscribed('btcusdt@aggTrade')
  for (let id = 0; id < 5; id++) exchange.trade('BTCUSDT', { fillCount: 2 })
  await expect.poll(() => ingest.orders('aggTrade')).toStrictEqual(range(0, 4))
  exchange.faults.isRestDown = true
  for (let id = 5; id < 2_500; id++) exchange.trade('BTCUSDT', { isMissed: true, fillCount: 2 })
  exchange.trade('BTCUSDT')
  const troubles = () => ingest.progress?.feed?.troubles?.map(({ what }) => what).join()
  await expect.poll(troubles, { timeout: 5_000 }).toContain('all wait for missing aggregates of BTCUSDT')
  expect(await ingest.orders('aggTrade')).toStrictEqual(range(0, 4))
  exchange.faults.isRestDown = false
  await expect.poll(() => ingest.orders('aggTrade'), { timeout: 10_000 }).toStrictEqual(range(0, 2_500))
  await expect.poll(troubles).toBe('')
  const values = (await ingest.records('aggTrade')).map(({ value }) => value)
  expect(values.filter((value) => value instanceof Rejection)).toStrictEqual([])
  expect((await ingest.stop()).counts).toMatchObject({ filled: 2_495, missing: 0 })
})

test('aggregates that cannot be had are told, and what follows goes on', async () => {
  const ingest = new StreamIngest('aggTrade', { limits: { aggWaitMs: 50 } })
  await subscribed('btcusdt@aggTrade')
  exchange.trade('BTCUSDT')
  await expect.poll(() => ingest.orders('aggTrade')).toStrictEqual([0])
  exchange.faults.isRestDown = true
  exchange.trade('BTCUSDT', { isMissed: true })
  exchange.trade('BTCUSDT')
  await expect.poll(() => ingest.orders('aggTrade'), { timeout: 10_000 }).toStrictEqual([0, 2])
  expect(ingest.notices.join('\n')).toMatch(/GAP: btcusdt@aggTrade 1 to 1 could not be had: .*did not answer/)
  expect((await ingest.stop()).counts).toMatchObject({ missing: 1 })
})

test('an ingest that is started again brings nothing twice and goes on behind what is there', async () => {
  const first = new StreamIngest('aggTrade')
  await subscribed('btcusdt@aggTrade')
  for (let id = 0; id < 10; id++) exchange.trade('BTCUSDT')
  await expect.poll(() => first.orders('aggTrade')).toStrictEqual(range(0, 9))
  await first.stop()
  await subscribed('btcusdt@aggTrade', 0)
  for (let id = 10; id < 20; id++) exchange.trade('BTCUSDT')
  const second = new StreamIngest('aggTrade', {}, first.log)
  await subscribed('btcusdt@aggTrade')
  exchange.trade('BTCUSDT')
  await expect.poll(() => second.orders('aggTrade'), { timeout: 10_000 }).toStrictEqual(range(0, 20))
})

test('what nobody can read is kept for the decoder to set aside; what is of another stream is left out', async () => {
  const ingest = new StreamIngest('ticker')
  await subscribed('btcusdt@ticker')
  exchange.sendRaw('{"stream":"btcusdt@ticker","data":{"e":"24hrTicker","E":"soon"}}')
  exchange.sendRaw('no frame')
  exchange.sendRaw('{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1}}')
  await expect.poll(async () => (await ingest.records('ticker')).length).toBe(2)
  const records = await ingest.records('ticker')
  expect(records.map(({ value }) => value instanceof Rejection)).toStrictEqual([true, true])
  expect((await ingest.stop()).counts).toMatchObject({ unreadable: 2, otherStreams: 1 })
})

test('a hole in the changes of a book is told', async () => {
  const ingest = new StreamIngest('depth')
  await subscribed('btcusdt@depth@100ms')
  exchange.trade('BTCUSDT')
  exchange.trade('BTCUSDT', { isMissed: true })
  exchange.trade('BTCUSDT')
  await expect.poll(() => ingest.orders('depth')).toStrictEqual([1, 3])
  expect(ingest.notices.join()).toContain('btcusdt@depth@100ms 2 to 2 did not come')
})

test('ids that begin again are taken as new once three agree, and a repeat never is', () => {
  const state = new StreamState(null, 0)
  const held = (order: number, time: number) => {
    const facts = { stream: 's', symbol: 'S', order, minor: 0, firstId: order, time }
    return { frame: Buffer.from(String(order)), facts }
  }
  for (const order of [100, 101, 102]) state.handOver(held(order, start + order).facts, 0)
  // Repeats, though many of them.
  for (const order of [100, 101, 102]) expect(state.beginAgain(held(order, start + order), 0)).toBeNull()
  expect(state.beginAgain(held(1, start + 200), 0)).toBeNull()
  expect(state.beginAgain(held(2, start + 201), 0)).toBeNull()
  const again = state.beginAgain(held(3, start + 202), 0)
  expect(again?.map(({ facts }) => facts.order)).toStrictEqual([1, 2, 3])
  expect(state.isBehind(held(1, start + 200).facts)).toBe(false)
})

test('one absurd time stamps no record and hides no new beginning; one absurd id is no gap', async () => {
  const ingest = new StreamIngest('aggTrade')
  await subscribed('btcusdt@aggTrade')
  const agg = (a: number, T: number) =>
    exchange.send(
      'btcusdt@aggTrade',
      JSON.stringify({ e: 'aggTrade', E: T, s: 'BTCUSDT', a, p: '1', q: '1', f: a, l: a, T, m: true, M: true }),
    )
  for (let id = 1; id <= 3; id++) agg(id, start + id)
  agg(4, Date.UTC(2090, 0, 1))
  for (let id = 5; id <= 7; id++) agg(id, start + id)
  agg(9_007_199_254_740_000, start + 8)
  for (let id = 8; id <= 12; id++) agg(id, start + 10 + id)
  await expect
    .poll(() => ingest.orders('aggTrade'))
    .toStrictEqual([...range(1, 7), 9_007_199_254_740_000, ...range(8, 12)])
  for (const { timestamp } of await ingest.records('aggTrade')) expect(timestamp).toBeLessThan(start + 1_000)
  expect((await ingest.stop()).counts).toMatchObject({ missing: 0 })
})

test('a clock of the exchange that was ahead makes tickers repeats for a minute, and not for ever', () => {
  const state = new StreamState(null, 0)
  const held = (order: number) => {
    const facts = { stream: 's', symbol: 'S', order, minor: 0, firstId: null, time: order }
    return { frame: Buffer.from(String(order)), facts }
  }
  state.handOver(held(start + 3_600_000).facts, 0)
  for (let second = 1; second <= 60; second++) {
    expect(state.beginAgain(held(start + second * 1_000), second * 1_000)).toBeNull()
  }
  expect(state.beginAgain(held(start + 61_000), 61_000)).toBeNull()
  expect(state.beginAgain(held(start + 62_000), 62_000)).toBeNull()
  expect(state.beginAgain(held(start + 63_000), 63_000)).toHaveLength(3)
})

test.runIf(hasCaptures)('every frame of the captures has a place in the order of its stream', () => {
  for (const { frames } of readCaptures()) {
    for (const { frame } of frames) {
      const { stream } = JSON.parse(frame.toString()) as { readonly stream?: string }
      const kind = stream === undefined ? null : kindOfStream(stream)
      if (kind === null || kind === 'other' || kind === 'trade') continue
      expect(readStreamFrame(frame, kind)).toMatchObject({ stream, order: expect.any(Number) })
    }
  }
})
