import { afterEach, beforeEach, expect, test } from 'vitest'
import { coinbaseHistory } from '../../src/backfill/coinbaseHistory.ts'
import { ExchangeApi } from '../../src/backfill/exchangeApi.ts'
import { mostTrades, tradesBetween } from '../../src/backfill/exchangeHistory.ts'
import { tradesFeed } from '../../src/backfill/tradesFeed.ts'
import { coinbaseCodec } from '../../src/market/coinbaseCodec.ts'
import { candleOf } from '../../src/reconcile/minuteCandle.ts'
import { RecordView } from '../../src/runtime/log/record.ts'
import { peekCoinbase } from '../../src/sources/coinbase/coinbaseDialect.ts'
import { limitsOfAddress } from '../../src/sources/live/addressLimits.ts'
import { RestClient } from '../../src/sources/live/restClient.ts'
import { newFramePeek } from '../../src/sources/market/peekFrame.ts'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'
import { SleepClock } from './apiFor.ts'
import { type FakeRest, fakeRest } from './fakeRest.ts'

const start = Date.UTC(2024, 7, 9)
const minuteMs = 60_000
let exchange: SimulatedExchange
const servers: FakeRest[] = []
beforeEach(async () => {
  exchange = await SimulatedExchange.start({ speaks: 'coinbase', symbols: ['BTC-USD'], startMs: start, firstId: 5 })
})
afterEach(async () => {
  await exchange.close()
  for (const server of servers.splice(0)) await server.close()
})

function historyOf(restUrl = exchange.restUrl, clock = new SleepClock()) {
  const client = new RestClient({
    clock,
    timeoutMs: 5_000,
    limits: limitsOfAddress(clock, restUrl, Number.POSITIVE_INFINITY),
    isSimulated: null,
  })
  const { signal } = new AbortController()
  const paced = { gapMs: 200, hasNumbers: true, urlSetting: 'MILLRACE_COINBASE_REST_URL' }
  return coinbaseHistory(new ExchangeApi({ ...paced, restUrl, client, clock, signal, onNotice: () => undefined }))
}

/** Half a second apart, from id 5 on. */
function trade(count: number, everyMs = 500): void {
  for (let index = 0; index < count; index++) {
    const price = `${100 + (index % 7)}.25000000`
    exchange.trade('BTC-USD', {
      time: start + index * everyMs,
      price,
      quantity: '0.12345678',
      isBuyerMaker: index % 3 === 0,
    })
  }
}

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const page of pages) found.push(page)
  return found
}

test('candles come in pages that say what they are all of; what the exchange does not tell is null', async () => {
  trade(400, minuteMs)
  const range = { from: start - 10 * minuteMs, to: start + 390 * minuteMs }
  const pages = await all(historyOf().klines('BTC-USD', '1m', range))
  expect(pages.map(({ range: { from, to }, klines }) => [(to - from) / minuteMs, klines.length])).toEqual([
    [300, 290],
    [100, 100],
  ])
  const [right] = exchange.klines('BTC-USD', '1m')
  const [first] = pages.flatMap(({ klines }) => klines)
  expect(first).toMatchObject({ openTime: start, closeTime: start + minuteMs - 1, tradeCount: null, quoteVolume: null })
  expect([first?.open, first?.high, first?.low, first?.close, first?.volume].map(String)).toEqual(
    [right?.open, right?.high, right?.low, right?.close, right?.volume].map(String),
  )
})

test('numbers are read as they are written, since as doubles they would be others', async () => {
  const server = await fakeRest({
    now: start,
    answers: {},
    fault: () => ({ status: 200, body: `[[${start / 1_000},1e-8,123456789.12345678,1E-07,2.5e1,90071992.54740993]]` }),
  })
  servers.push(server)
  const [page] = await all(historyOf(server.url).klines('BTC-USD', '1m', { from: start, to: start + minuteMs }))
  const { low, high, open, close, volume } = page?.klines[0] ?? {}
  expect([low, high, open, close, volume].map(String)).toEqual([
    '1',
    '12345678912345678',
    '10',
    '2500000000',
    '9007199254740993',
  ])
})

test('candles of another time than was asked for end it', async () => {
  const server = await fakeRest({ now: start, answers: {}, fault: () => ({ status: 200, body: '[[60,1,1,1,1,1]]' }) })
  servers.push(server)
  const pages = historyOf(server.url).klines('BTC-USD', '1m', { from: start, to: start + minuteMs })
  await expect(all(pages)).rejects.toThrow(/a candle of 60000 where those from/)
})

test('the first trade of a time is found from id to id', async () => {
  trade(5_000)
  const { trades } = historyOf()
  for (const index of [0, 1, 999, 2_500, 4_999]) {
    expect(await trades?.firstId('BTC-USD', start + index * 500)).toBe(5 + index)
    expect(await trades?.firstId('BTC-USD', start + index * 500 - 499)).toBe(5 + index)
  }
  expect(await trades?.firstId('BTC-USD', start + 5_000 * 500)).toBeNull()
  expect(await trades?.firstId('BTC-USD', 0)).toBe(5)
})

test('old trades are the frames that the stream would have brought, each once, up to the end of the range', async () => {
  trade(3_300)
  const history = historyOf()
  const feed = tradesFeed({
    symbols: ['BTC-USD'],
    range: { from: start + 500_000, to: start + 1_500_000 },
    name: 'coinbase',
    peek: peekCoinbase,
    historyOf: () => ({ api: history.api, trades: history.trades ?? expect.fail() }),
  })
  const reader = await feed.open(null)
  const frames: Buffer[] = []
  const { signal } = new AbortController()
  for (;;) {
    const batch = await reader.read({ maxFrames: 700, maxBytes: 1 << 20, lingerMs: 0, signal })
    if (batch === null) break
    frames.push(...batch.frames)
  }
  expect(frames).toHaveLength(2_000)
  const peek = newFramePeek()
  frames.forEach((frame, index) => {
    feed.peek?.(frame, peek)
    expect([peek.kind, peek.tradeId, peek.tradeTime]).toEqual(['trade', 1_005 + index, start + 500_000 + index * 500])
  })
  const record = new RecordView()
  const [buffer = Buffer.alloc(0)] = frames
  Object.assign(record, { buffer, valueStart: 0, valueLength: buffer.length })
  expect(coinbaseCodec().decode(record)).toMatchObject({ type: 'trade', tradeId: 1_005, market: 'coinbase' })
})

test('a page whose ids end is the last one, and one that leaves ids out is not', async () => {
  trade(10)
  exchange.startIdsAgain('BTC-USD', 3_000)
  const { trades } = historyOf()
  const range = { from: 0, to: Number.POSITIVE_INFINITY }
  expect(await trades?.page('BTC-USD', 5, range)).toMatchObject({ nextId: null })
  exchange.trade('BTC-USD')
  const first = await trades?.page('BTC-USD', 5, range)
  expect(first?.nextId).toBe(1_005)
})

test.each([2_000, 200])(
  'the candle of a minute is made of its trades, recent or not (%s trades behind it)',
  async (behind) => {
    trade(240 + behind)
    const history = historyOf()
    const [, , right] = exchange.klines('BTC-USD', '1m')
    const aggregates = await history.aggregates('BTC-USD', start + 2 * minuteMs, start + 3 * minuteMs)
    const candle = candleOf(aggregates ?? [])
    const scale = 10n ** 8n
    expect(candle.volume).toBe((right?.volume ?? 0n) * scale)
    expect(candle.quote_volume).toBe(right?.quoteVolume)
    expect(candle.trade_count).toBe(BigInt(right?.tradeCount ?? 0) * scale ** 2n)
    expect(candle.taker_buy_volume).toBe((right?.takerBuyVolume ?? 0n) * scale)
    expect(aggregates?.length).toBeLessThan(mostTrades)
    if (history.trades === null) throw new Error('there are trades')
    const between = await tradesBetween(history.trades, 'BTC-USD', right?.firstTradeId ?? 0, right?.lastTradeId ?? 0)
    expect(between.map(({ id }) => id)).toEqual(
      exchange
        .trades('BTC-USD')
        .slice(240, 360)
        .map(({ id }) => id),
    )
  },
)
