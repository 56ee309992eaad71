import { afterEach, beforeEach, expect, test } from 'vitest'
import { coinbaseCodec } from '../../../src/market/coinbaseCodec.ts'
import { Rejection } from '../../../src/runtime/log/codec.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { coinbaseFeed } from '../../../src/sources/coinbase/coinbaseFeed.ts'
import { SimulatedExchange } from '../../../src/testing/exchange/simulatedExchange.ts'
import type { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { LiveIngest, quick, range } from '../binance/liveIngest.ts'
import { isHeartbeat, logContents } from '../ingest/logContents.ts'

const startMs = Date.UTC(2024, 7, 9)
const symbols = ['BTC-USD', 'ETH-USD']
let exchange: SimulatedExchange
const running: LiveIngest[] = []
beforeEach(async () => {
  exchange = await SimulatedExchange.start({ speaks: 'coinbase', firstId: 100, symbols })
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((ingest) => ingest.stop().catch(() => undefined)))
  await exchange.close()
})

async function started(limits: Partial<typeof quick> = {}, log?: MemoryLog): Promise<LiveIngest> {
  const ingest: LiveIngest = new LiveIngest(exchange, {}, log, undefined, 'coinbase', () =>
    coinbaseFeed({
      symbols,
      endpoints: exchange,
      isSimulated: true,
      jitter: () => 0,
      limits: { ...quick, ...limits },
      onNotice: (notice) => ingest.notices.push(notice),
    }),
  )
  running.push(ingest)
  await exchange.untilSubscribed('BTC-USD')
  return ingest
}

const trades = (product: string, count: number, options: Parameters<SimulatedExchange['trade']>[1] = {}) => {
  let last = 0
  for (let made = 0; made < count; made++) last = exchange.trade(product, options)
  return last
}

test('every trade is in the log once and in order: what the stream leaves out, repeats, or brings in disorder', async () => {
  const ingest = await started()
  trades('BTC-USD', 5)
  trades('BTC-USD', 3, { isMissed: true })
  trades('BTC-USD', 2)
  for (const id of [101, 104]) exchange.repeat('BTC-USD', id)
  exchange.disorder(6)
  const last = trades('BTC-USD', 6)
  await ingest.reached('BTC-USD', last)
  expect(await ingest.ids('BTC-USD')).toEqual(range(100, last))
  expect((await ingest.stop()).counts).toMatchObject({ missing: 0 })
  expect(exchange.requests.some((path) => /^\/products\/BTC-USD\/trades\?after=1105&limit=1000$/.test(path))).toBe(true)
})

test('cuts, also in mid-frame, and a restart: it goes on behind the newest trade of each product', async () => {
  const ingest = await started()
  trades('BTC-USD', 3)
  trades('ETH-USD', 1)
  await ingest.reached('BTC-USD', 102)
  exchange.cutInMidFrame()
  trades('BTC-USD', 4, { isMissed: true })
  trades('ETH-USD', 2, { isMissed: true })
  await ingest.reached('BTC-USD', 106)
  await ingest.reached('ETH-USD', 102)
  await ingest.stop()
  const gone = trades('BTC-USD', 1_500, { isMissed: true })
  const again = await started({}, ingest.log)
  await again.reached('BTC-USD', gone)
  expect(await again.ids('BTC-USD')).toEqual(range(100, gone))
  expect(await again.ids('ETH-USD')).toEqual(range(100, 102))
})

test('a stream that stalls while pings are answered is found by the heartbeats, and nobody is told the time before', async () => {
  const ingest = await started()
  for (const product of symbols) exchange.trade(product, { time: startMs })
  await ingest.reached('ETH-USD', 100)
  exchange.faults.stalled.add('btc-usd@trade')
  exchange.trade('BTC-USD', { time: startMs + 1_000 })
  exchange.tick(startMs + 60_000)
  await ingest.reached('BTC-USD', 101)
  const records = await logContents(ingest.log)
  const late = records.find(({ value }) => value?.includes('"trade_id":101,') && value.includes('BTC-USD'))
  const before = records.filter(({ partition, offset }) => partition === late?.partition && offset < late.offset)
  expect(before.filter(isHeartbeat)).toEqual([])
  expect(ingest.notices.join('\n')).toMatch(/trade 101 of BTC-USD, which the exchange has named, did not come/)
  exchange.tick(startMs + 70_000)
  await ingest.until(async () => (await logContents(ingest.log)).some(isHeartbeat))
})

test('while REST is away a gap is open, and filled behind the live trades when it is back', async () => {
  const ingest = await started({ fillDeadlineMs: 500 })
  exchange.trade('BTC-USD')
  await ingest.reached('BTC-USD', 100)
  exchange.faults.isRestDown = true
  exchange.trade('BTC-USD', { isMissed: true })
  exchange.trade('BTC-USD')
  await ingest.reached('BTC-USD', 102)
  exchange.faults.isRestDown = false
  await ingest.reached('BTC-USD', 101)
  await ingest.until(async () => (await ingest.gaps()).length === 2)
  expect((await ingest.gaps()).map(({ s, state, firstId, lastId }) => [s, state, firstId, lastId])).toEqual([
    ['BTC-USD', 'open', 101, 101],
    ['BTC-USD', 'filled', 101, 101],
  ])
  const fill = (await logContents(ingest.log)).find(({ value }) => value?.includes('"trade_id":101'))
  expect(JSON.parse(fill?.value ?? '')).toMatchObject({ type: 'match', fill: true, time: expect.any(String) })
})

test('a heartbeat that names no trade says nothing', async () => {
  const ingest = await started()
  exchange.trade('BTC-USD', { time: startMs })
  await ingest.reached('BTC-USD', 100)
  const heartbeat = { type: 'heartbeat', sequence: 1, last_trade_id: 0, product_id: 'BTC-USD' }
  exchange.send('btc-usd@ticker', JSON.stringify({ ...heartbeat, time: new Date(startMs + 60_000).toISOString() }))
  const last = exchange.trade('BTC-USD', { time: startMs + 61_000 })
  await ingest.reached('BTC-USD', last)
  expect((await logContents(ingest.log)).filter(isHeartbeat)).toEqual([])
})

test('a product that the exchange does not list ends the start, and a name that is none is refused', async () => {
  const feed = coinbaseFeed({ symbols: ['BTC-USDX'], endpoints: exchange, isSimulated: true })
  await expect(feed.open(null)).rejects.toThrow(/does not list BTC-USDX \(there are BTC-USD\)/)
  expect(() => coinbaseFeed({ symbols: ['BTCUSD'] })).toThrow(/is written like BTC-USD/)
  expect(() => coinbaseFeed({ symbols: [] })).toThrow(/at least one product/)
})

test('429 is obeyed for as long as it says', async () => {
  const ingest = await started({ fillDeadlineMs: 200 })
  exchange.trade('BTC-USD')
  await ingest.reached('BTC-USD', 100)
  exchange.failRest({ status: 429, retryAfterSeconds: 2 })
  exchange.trade('BTC-USD', { isMissed: true })
  exchange.trade('BTC-USD')
  expect(await ingest.trouble(/REST is asked nothing/)).toContain('429')
  const asked = exchange.requests.length
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect(exchange.requests).toHaveLength(asked)
  await ingest.reached('BTC-USD', 101)
})

test('the codec makes the same events as of Binance, with the taker’s side told right', () => {
  const codec = coinbaseCodec({ symbols: ['BTC-USD'] })
  const decode = (value: string | object) => {
    const view = new RecordView()
    const bytes = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
    Object.assign(view, { buffer: bytes, valueStart: 0, valueLength: bytes.length })
    return codec.decode(view)
  }
  const match = {
    ...{ type: 'match', trade_id: 10, sequence: 50, product_id: 'BTC-USD', time: '2024-08-09T08:19:27.028459Z' },
    ...{ maker_order_id: 'a', taker_order_id: 'b', size: '5.23512', price: '400.23', side: 'sell' },
  }
  expect(decode(match)).toStrictEqual({
    ...{ type: 'trade', market: 'coinbase', symbol: 'BTC-USD', tradeId: 10 },
    ...{ price: 40_023_000_000, quantity: 523_512_000, tradeTime: Date.UTC(2024, 7, 9, 8, 19, 27, 28) },
    isBuyerMaker: false,
  })
  expect(decode({ ...match, side: 'buy', fill: true, epoch: 2 })).toMatchObject({
    ...{ isBuyerMaker: true, isFill: true, idEpoch: 2 },
  })
  expect(decode({ type: 'heartbeat', product_id: 'BTC-USD' })).toBeUndefined()
  expect(decode({ ...match, type: 'last_match' })).toBeUndefined()
  expect(decode({ ...match, size: '0' })).toBeUndefined()
  expect(decode('{"e":"heartbeat","E":1723161600000}')).toStrictEqual({ type: 'heartbeat', time: 1_723_161_600_000 })
  for (const odd of [
    { ...match, price: '0.123456789' },
    { ...match, time: 'noon' },
    { ...match, trade_id: '10' },
    'x',
    '[]',
    '{}',
  ])
    expect(decode(odd)).toBeInstanceOf(Rejection)
  expect(decode({ ...match, product_id: 'ETH-USD' })).toMatchObject({ reason: 'unknown-symbol' })
})
