import { afterEach, beforeEach, expect, test } from 'vitest'
import { tradeCodec } from '../../../src/market/tradeCodec.ts'
import { realtime } from '../../../src/pipelines/realtime.ts'
import { binanceTalk } from '../../../src/sources/binance/binanceDialect.ts'
import { coinbaseTalk } from '../../../src/sources/coinbase/coinbaseDialect.ts'
import { feedTarget } from '../../../src/sources/ingest/feedTarget.ts'
import { SimulatedExchange } from '../../../src/testing/exchange/simulatedExchange.ts'
import { testPipeline } from '../../../src/testing/kit/testPipeline.ts'
import { isHeartbeat, logContents } from '../ingest/logContents.ts'
import { LiveIngest, range, type Tail } from './liveIngest.ts'

const startMs = Date.UTC(2024, 7, 9)
let exchange: SimulatedExchange
const running: LiveIngest[] = []
beforeEach(async () => {
  exchange = await SimulatedExchange.start({ firstId: 100 })
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((ingest) => ingest.stop().catch(() => undefined)))
  await exchange.close()
})

async function started(...rest: Tail<ConstructorParameters<typeof LiveIngest>>): Promise<LiveIngest> {
  const ingest = new LiveIngest(exchange, ...rest)
  running.push(ingest)
  await exchange.untilSubscribed('BTCUSDT')
  return ingest
}

const absurdMs = Date.UTC(2090, 0, 1)

test('one absurd time of a trade hides neither that quiet is proven nor that ids start again', async () => {
  const ingest = await started()
  for (const symbol of ['BTCUSDT', 'ETHUSDT']) exchange.trade(symbol, { time: startMs })
  await ingest.reached('ETHUSDT', 100)
  await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT', { time: absurdMs }))
  for (let id = 102; id < 105; id++) exchange.trade('BTCUSDT', { time: startMs + 1_000 })
  await ingest.reached('BTCUSDT', 104)
  // No word of the exchange on the newest time may be one that it computes from the absurd trade.
  const ticker = (id: number, at: number) =>
    exchange.send('btcusdt@ticker', JSON.stringify({ e: '24hrTicker', E: at, s: 'BTCUSDT', C: at, L: id }))
  ticker(104, startMs + 20_000)
  await ingest.until(async () => (await logContents(ingest.log)).some(isHeartbeat))
  exchange.startIdsAgain('BTCUSDT', 1)
  for (let second = 30; second < 35; second++) exchange.trade('BTCUSDT', { time: startMs + second * 1_000 })
  await ingest.reached('BTCUSDT', 5)
  expect((await ingest.stop()).counts).toMatchObject({ restarts: 1 })
})

test('one absurd time that the exchange names stops no heartbeats, and an absurd id makes no gap', async () => {
  const ingest = await started({ symbols: ['BTCUSDT'] })
  for (let id = 100; id < 103; id++) exchange.trade('BTCUSDT', { time: startMs })
  await ingest.reached('BTCUSDT', 102)
  const ticker = (id: number, at: number) =>
    exchange.send('btcusdt@ticker', JSON.stringify({ e: '24hrTicker', E: at, s: 'BTCUSDT', C: at, L: id }))
  ticker(102, absurdMs)
  ticker(9_007_199_254_740_991, startMs + 10_000)
  ticker(102, startMs + 20_000)
  await ingest.until(async () => (await logContents(ingest.log)).some(isHeartbeat))
  await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT', { time: startMs + 21_000 }))
  expect(await ingest.gaps()).toEqual([])
  expect((await ingest.stop()).counts).toMatchObject({ gaps: 0, restarts: 0, missing: 0 })
})

test('a gap before or behind a trade with an absurd time is a word that can be read', async () => {
  const ingest = await started({ limits: { fillDeadlineMs: 100 } })
  exchange.trade('BTCUSDT', { time: startMs })
  await ingest.reached('BTCUSDT', 100)
  exchange.faults.isRestDown = true
  exchange.trade('BTCUSDT', { isMissed: true })
  exchange.trade('BTCUSDT', { time: absurdMs })
  exchange.trade('BTCUSDT', { time: startMs + 5_000, isMissed: true })
  await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT', { time: startMs + 6_000 }))
  const gaps = await ingest.gaps()
  expect(gaps).toHaveLength(2)
  const codec = tradeCodec({ market: 'spot', timeUnit: 'ms' })
  for (const { fromTime, toTime } of gaps) {
    expect(fromTime).toBeLessThanOrEqual(toTime)
    expect(toTime).toBeLessThan(Date.now() + 7 * 86_400_000)
  }
  const run = testPipeline(realtime(codec))
  for (const record of await logContents(ingest.log)) run.push(record)
  expect(run.deadLetters().filter(({ reason }) => reason !== 'late')).toEqual([])
})

test('several gaps that the exchange does not have are all absent', async () => {
  const ingest = await started({ limits: { fillDeadlineMs: 200 } })
  exchange.trade('BTCUSDT')
  exchange.trade('ETHUSDT')
  await ingest.reached('ETHUSDT', 100)
  exchange.faults.isRestDown = true
  for (const symbol of ['BTCUSDT', 'ETHUSDT']) {
    exchange.startIdsAgain(symbol, 103)
    await ingest.reached(symbol, exchange.trade(symbol))
  }
  exchange.faults.isRestDown = false
  await ingest.until(async () => (await ingest.gaps()).filter(({ state }) => state === 'absent').length === 2)
  expect((await ingest.stop()).counts).toMatchObject({ openGaps: 0, missing: 0 })
})

test('an answer to a subscription is told by its first words, and one that is too long to be one is not read', () => {
  const refused = (depth: number) => Buffer.from(`{"error":${'['.repeat(depth)}${']'.repeat(depth)},"id":1}`)
  expect(binanceTalk.replyOf(refused(1_000))).toMatchObject({
    id: 1,
    problem: expect.stringMatching(/^\{"error":\[{5}/),
  })
  expect(binanceTalk.replyOf(refused(40_000))).toBeNull()
  const list = (count: number) =>
    Buffer.from(JSON.stringify({ type: 'subscriptions', channels: Array<string>(count).fill('BTC-USD') }))
  expect(coinbaseTalk.replyOf(list(400))).toMatchObject({ problem: null })
  expect(coinbaseTalk.replyOf(list(40_000))).toBeNull()
})

test('what was missed while nothing could be asked is no wrong candle: where it is not known, a gap is open until it is', async () => {
  // All in one partition, so that the trades of one tell the others the time.
  const target = feedTarget(4)
  const names = ['BTCUSDT', ...Array.from({ length: 40 }, (_, index) => `X${index}USDT`)]
  const [, other = ''] = names.filter(
    (name) => target.partitionOf(Buffer.from(name)) === target.partitionOf(Buffer.from('BTCUSDT')),
  )
  await exchange.close()
  exchange = await SimulatedExchange.start({ firstId: 100, symbols: ['BTCUSDT', other] })
  const ingest = await started({ symbols: ['BTCUSDT', other], limits: { fillDeadlineMs: 200 } })
  for (const symbol of ['BTCUSDT', other]) {
    for (let second = 0; second < 10; second++) exchange.trade(symbol, { time: startMs + second * 1_000 })
    await ingest.reached(symbol, 109)
  }
  exchange.faults.refusesConnections = true
  exchange.faults.isRestDown = true
  exchange.dropConnections()
  // An outage of two minutes in which both trade.
  for (const symbol of ['BTCUSDT', other]) {
    for (let second = 10; second < 130; second += 10) exchange.trade(symbol, { time: startMs + second * 1_000 })
  }
  exchange.faults.refusesConnections = false
  await exchange.untilSubscribed('BTCUSDT')
  for (let second = 130; second < 250; second += 10) exchange.trade('BTCUSDT', { time: startMs + second * 1_000 })
  await ingest.reached('BTCUSDT', 133)
  await ingest.trouble(new RegExp(`not known.* ${other}`))
  exchange.faults.isRestDown = false
  await ingest.reached(other, 121)
  await ingest.until(async () => (await ingest.gaps()).filter(({ state }) => state === 'filled').length === 2)
  expect([...(await ingest.ids(other))].sort((a, b) => a - b)).toEqual(range(100, 121))
  await ingest.reached(other, exchange.trade(other, { time: startMs + 251_000 }))
  expect((await ingest.stop()).counts).toMatchObject({ openGaps: 0, missing: 0 })
  const run = testPipeline(realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' })))
  for (const record of await logContents(ingest.log)) run.push(record)
  expect(run.deadLetters()).toEqual([])
  const counts = run
    .rows('1m')
    .filter(({ isClosed }) => isClosed)
    .map(({ symbol, openTime, tradeCount }) => [symbol, openTime, tradeCount])
  for (const symbol of ['BTCUSDT', other]) {
    for (const { openTime, tradeCount } of exchange.klines(symbol, '1m').slice(0, 3)) {
      expect(counts).toContainEqual([symbol, openTime, tradeCount])
    }
  }
})

test('what was missed is known to be nothing as soon as the exchange says so, and the gap is over', async () => {
  const ingest = await started({ limits: { fillDeadlineMs: 200 } })
  for (const symbol of ['BTCUSDT', 'ETHUSDT']) exchange.trade(symbol, { time: startMs })
  await ingest.reached('ETHUSDT', 100)
  exchange.faults.isRestDown = true
  exchange.dropConnections()
  await exchange.untilSubscribed('BTCUSDT')
  await ingest.until(async () => (await ingest.gaps()).length === 2)
  // One by its next trade, one by what its ticker names.
  exchange.trade('BTCUSDT', { time: startMs + 5_000 })
  exchange.tick(startMs + 6_000)
  await ingest.until(async () => (await ingest.gaps()).length === 4)
  expect((await ingest.gaps()).map(({ s, state, missing }) => [s, state, missing]).sort()).toEqual([
    ['BTCUSDT', 'absent', 0],
    ['BTCUSDT', 'open', 0],
    ['ETHUSDT', 'absent', 0],
    ['ETHUSDT', 'open', 0],
  ])
  expect((await ingest.stop()).counts).toMatchObject({ openGaps: 0, missing: 0 })
})

test('a gap that is not known outlives a restart', async () => {
  const first = await started({ limits: { fillDeadlineMs: 200 } })
  exchange.trade('BTCUSDT', { time: startMs })
  await first.reached('BTCUSDT', 100)
  exchange.faults.isRestDown = true
  exchange.dropConnections()
  await first.until(async () => (await first.gaps()).length === 1)
  await first.stop()
  exchange.trade('BTCUSDT', { time: startMs + 1_000, isMissed: true })
  exchange.faults.isRestDown = false
  const second = await started({}, first.log)
  await second.until(async () => (await second.gaps()).at(-1)?.state === 'filled')
  expect(await second.ids('BTCUSDT')).toEqual([100, 101])
})

test('what stays unknown for too long is lost, and its windows wait no longer', async () => {
  const ingest = await started({ limits: { fillDeadlineMs: 100, maxGapAgeMs: 1_000 } })
  exchange.trade('BTCUSDT', { time: startMs })
  await ingest.reached('BTCUSDT', 100)
  exchange.faults.isRestDown = true
  exchange.dropConnections()
  await ingest.until(async () => (await ingest.gaps()).length === 2)
  expect((await ingest.gaps()).map(({ state, missing }) => [state, missing])).toEqual([
    ['open', 0],
    ['lost', 0],
  ])
})
