import { afterEach, beforeEach, expect, test } from 'vitest'
import { binanceStreams } from '../../../src/sources/binance/streams/streamFeed.ts'
import { feedTarget } from '../../../src/sources/ingest/feedTarget.ts'
import { isInvented } from '../../../src/sources/live/inventedPrices.ts'
import { SimulatedExchange } from '../../../src/testing/exchange/simulatedExchange.ts'
import { unmarked } from '../../support/unmarkedExchange.ts'
import { LiveIngest } from '../binance/liveIngest.ts'

let exchange: SimulatedExchange
let proxy: Awaited<ReturnType<typeof unmarked>>
beforeEach(async () => {
  exchange = await SimulatedExchange.start()
  proxy = await unmarked(exchange)
})
afterEach(async () => {
  await exchange.close()
  await proxy.close()
})

test('an exchange that says that its prices are invented is not taken for a real one, and nothing of it is handed over', async () => {
  const ingest = new LiveIngest(exchange, { isSimulated: false })
  await expect(ingest.done).rejects.toThrow(/says that its prices are invented.*Take them with --market simulated/)
  expect(await ingest.ids('BTCUSDT')).toStrictEqual([])
})

test('one that does not say so is not taken for an invented one', async () => {
  const ingest = new LiveIngest(exchange, { isSimulated: true, endpoints: proxy })
  await expect(ingest.done).rejects.toThrow(/does not say that its prices are invented/)
})

test('a proxy or a host of another region is taken as it is', async () => {
  const ingest = new LiveIngest(exchange, { isSimulated: false, endpoints: proxy })
  await exchange.untilSubscribed('BTCUSDT')
  exchange.trade('BTCUSDT')
  await ingest.reached('BTCUSDT', 1)
  await ingest.stop()
})

test('a stream that is real is not filled up with invented trades of REST', async () => {
  const endpoints = { streamUrl: proxy.streamUrl, restUrl: exchange.restUrl }
  const ingest = new LiveIngest(exchange, { isSimulated: false, endpoints, limits: { fillDeadlineMs: 50 } })
  await exchange.untilSubscribed('BTCUSDT')
  exchange.trade('BTCUSDT')
  await ingest.reached('BTCUSDT', 1)
  exchange.trade('BTCUSDT', { isMissed: true })
  exchange.trade('BTCUSDT')
  await ingest.reached('BTCUSDT', 3)
  expect(await ingest.ids('BTCUSDT')).toStrictEqual([1, 3])
  expect((await ingest.gaps())[0]).toMatchObject({
    state: 'open',
    reason: expect.stringContaining('says that its prices are invented'),
  })
  await ingest.stop()
})

test('the other streams keep to it as well', async () => {
  const feed = binanceStreams({ market: 'spot', kind: 'ticker', streams: ['btcusdt@ticker'], endpoints: exchange })
  const reader = await feed.open(null, feedTarget(1))
  const options = { maxRecords: 1, maxBytes: 1, lingerMs: 0, signal: new AbortController().signal }
  const readOn = async () => {
    for (;;) await reader.read(options)
  }
  await expect(readOn()).rejects.toThrow(/says that its prices are invented/)
  await reader.close()
})

test("the exchange's test networks are known by their names", () => {
  for (const url of [
    'wss://stream.testnet.binance.vision',
    'https://testnet.binancefuture.com',
    'https://demo-api.binance.com',
  ]) {
    expect(isInvented(url, null)).toBe(true)
  }
  for (const url of [
    'wss://stream.binance.com:9443',
    'https://api.binance.us',
    'wss://data-stream.binance.vision',
    'ws://127.0.0.1:8080',
  ]) {
    expect(isInvented(url, undefined)).toBe(false)
  }
})
