import { afterEach, beforeEach, expect, test } from 'vitest'
import { RetryableError } from '../../../src/runtime/errors.ts'
import { binanceFeed } from '../../../src/sources/binance/binanceFeed.ts'
import { feedTarget } from '../../../src/sources/ingest/feedTarget.ts'
import { SimulatedExchange, type SimulatedExchangeOptions } from '../../../src/testing/exchange/simulatedExchange.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { isHeartbeat, logContents } from '../ingest/logContents.ts'
import { LiveIngest, range, type Tail } from './liveIngest.ts'

const startMs = Date.UTC(2024, 7, 9)
let exchange: SimulatedExchange
const running: LiveIngest[] = []
const others: SimulatedExchange[] = []
beforeEach(async () => {
  exchange = await SimulatedExchange.start({ firstId: 100 })
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((ingest) => ingest.stop().catch(() => undefined)))
  for (const one of [exchange, ...others.splice(0)]) await one.close()
})

function newIngest(...rest: Tail<ConstructorParameters<typeof LiveIngest>>): LiveIngest {
  const ingest = new LiveIngest(exchange, ...rest)
  running.push(ingest)
  return ingest
}

async function started(options: Tail<ConstructorParameters<typeof LiveIngest>>[0] = {}): Promise<LiveIngest> {
  const ingest = newIngest(options)
  await exchange.untilSubscribed('BTCUSDT')
  return ingest
}

async function restarted(options: SimulatedExchangeOptions): Promise<void> {
  await exchange.close()
  exchange = await SimulatedExchange.start({ firstId: 100, ...options })
}

async function heartbeats(ingest: LiveIngest) {
  return (await logContents(ingest.log)).filter(isHeartbeat)
}

const moment = (ms = 300) => new Promise((resolve) => setTimeout(resolve, ms))

test('a stream that stalls while pings are answered is no quiet: nobody is told the time, and its trades are fetched', async () => {
  const ingest = await started()
  for (const symbol of ['BTCUSDT', 'ETHUSDT']) exchange.trade(symbol, { time: startMs })
  await ingest.reached('ETHUSDT', 100)
  exchange.faults.stalled.add('btcusdt@trade')
  exchange.trade('BTCUSDT', { time: startMs + 1_000 })
  // The exchange names trade 101 of BTCUSDT, and that nothing has come of ETHUSDT.
  exchange.tick(startMs + 60_000)
  await ingest.reached('BTCUSDT', 101)
  // Once it is there the time may be told; not before it.
  const records = await logContents(ingest.log)
  const late = records.find(({ value }) => value?.includes('"t":101,') && value.includes('BTCUSDT'))
  const before = records.filter(({ partition, offset }) => partition === late?.partition && offset < late.offset)
  expect(before.filter(isHeartbeat)).toEqual([])
  expect(ingest.notices.join('\n')).toMatch(
    /replacing the connection: trade 101 of BTCUSDT, which the exchange has named, did not come/,
  )
  expect(await ingest.ids('BTCUSDT')).toEqual([100, 101])
})

test('the trades of one symbol tell no other partition the time', async () => {
  const ingest = await started()
  for (const symbol of ['BTCUSDT', 'ETHUSDT']) exchange.trade(symbol, { time: startMs })
  exchange.faults.stalled.add('ethusdt@trade')
  const last = exchange.trade('ETHUSDT', { time: startMs + 1_000 })
  for (let second = 1; second < 60; second++) exchange.trade('BTCUSDT', { time: startMs + second * 1_000 })
  await ingest.reached('BTCUSDT', 159)
  await moment()
  expect(await heartbeats(ingest)).toEqual([])
  exchange.tick(startMs + 60_000)
  await ingest.reached('ETHUSDT', last)
})

test('ids that start again are new ones, and told', async () => {
  const ingest = await started()
  for (let trades = 0; trades < 5; trades++) exchange.trade('BTCUSDT')
  await ingest.reached('BTCUSDT', 104)
  exchange.startIdsAgain('BTCUSDT', 1)
  for (let trades = 0; trades < 5; trades++) exchange.trade('BTCUSDT')
  await ingest.reached('BTCUSDT', 5)
  expect(await ingest.ids('BTCUSDT')).toEqual([...range(100, 104), ...range(1, 5)])
  const again = (await logContents(ingest.log)).filter(({ value }) => value?.includes('"epoch":1'))
  expect(again).toHaveLength(5)
  expect(await ingest.gaps()).toMatchObject([{ s: 'BTCUSDT', epoch: 0, firstId: 105, lastId: 104, state: 'restarted' }])
  expect(ingest.notices.join('\n')).toMatch(/ids of BTCUSDT start again/)
  expect((await ingest.stop()).counts).toMatchObject({ restarts: 1 })
})

test('ids that started again while nobody listened are found at the start', async () => {
  const first = await started()
  for (let trades = 0; trades < 5; trades++) exchange.trade('BTCUSDT')
  await first.reached('BTCUSDT', 104)
  await first.stop()
  await exchange.untilSubscribed('BTCUSDT', 0)
  exchange.startIdsAgain('BTCUSDT', 1)
  for (let trades = 0; trades < 3; trades++) exchange.trade('BTCUSDT', { isMissed: true })
  const second = newIngest({}, first.log)
  await second.reached('BTCUSDT', 3)
  expect(await second.ids('BTCUSDT')).toEqual([...range(100, 104), 1, 2, 3])
})

test('a repeat is no restart', async () => {
  const ingest = await started()
  for (let trades = 0; trades < 5; trades++) exchange.trade('BTCUSDT')
  for (const id of [100, 101, 102, 103, 100, 101, 102]) exchange.repeat('BTCUSDT', id)
  await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
  expect(await ingest.ids('BTCUSDT')).toEqual(range(100, 105))
})

test('while REST is away all symbols wait once, the gaps stay open and are filled when it is back', async () => {
  const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT']
  const ingest = await started({ symbols, limits: { fillDeadlineMs: 1_500 } })
  for (const symbol of symbols) exchange.trade(symbol)
  await ingest.reached('BNBUSDT', 100)
  exchange.faults.isRestDown = true
  const before = Date.now()
  for (const symbol of symbols) {
    exchange.trade(symbol, { isMissed: true })
    exchange.trade(symbol)
  }
  for (const symbol of symbols) await ingest.reached(symbol, 102)
  // Three deadlines, one after another, would be 4.5 s.
  expect(Date.now() - before).toBeLessThan(3_500)
  expect(await ingest.trouble(/gaps are open/)).toMatch(
    /^3 gaps are open, 3 trades missing of BTCUSDT, ETHUSDT, BNBUSDT: .* did not answer/,
  )
  exchange.faults.isRestDown = false
  for (const symbol of symbols) await ingest.reached(symbol, 101)
  await ingest.until(async () => (await ingest.gaps()).length === 6)
  expect((await ingest.gaps()).map(({ state }) => state).sort()).toEqual([
    'filled',
    'filled',
    'filled',
    'open',
    'open',
    'open',
  ])
})

test('open gaps outlive a restart', async () => {
  const first = await started({ limits: { fillDeadlineMs: 100 } })
  exchange.trade('BTCUSDT')
  await first.reached('BTCUSDT', 100)
  exchange.faults.isRestDown = true
  for (let missed = 0; missed < 3; missed++) exchange.trade('BTCUSDT', { isMissed: true })
  await first.reached('BTCUSDT', exchange.trade('BTCUSDT'))
  await first.stop()
  exchange.faults.isRestDown = false
  const second = newIngest({}, first.log)
  await second.until(async () => (await second.gaps()).some(({ state }) => state === 'filled'))
  expect([...(await second.ids('BTCUSDT'))].sort()).toEqual(range(100, 104))
})

test('ids that the exchange does not have are absent, not missing', async () => {
  const ingest = await started()
  exchange.trade('BTCUSDT')
  await ingest.reached('BTCUSDT', 100)
  exchange.startIdsAgain('BTCUSDT', 103)
  await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
  await ingest.until(async () => (await ingest.gaps()).length === 2)
  expect(await ingest.gaps()).toMatchObject([
    { firstId: 101, lastId: 102, state: 'open' },
    { firstId: 101, lastId: 102, state: 'absent', missing: 0 },
  ])
})

test('a page of REST in disorder loses nothing', async () => {
  const ingest = await started()
  exchange.trade('BTCUSDT')
  exchange.faults.isRestUnsorted = true
  for (let missed = 0; missed < 300; missed++) exchange.trade('BTCUSDT', { isMissed: true })
  await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
  expect(await ingest.ids('BTCUSDT')).toEqual(range(100, 401))
  expect(await ingest.gaps()).toEqual([])
})

test('after 403 REST is left alone', async () => {
  const ingest = await started()
  exchange.trade('BTCUSDT')
  exchange.failRest({ status: 403, times: 100, path: 'historicalTrades' })
  exchange.trade('BTCUSDT', { isMissed: true })
  await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
  exchange.trade('BTCUSDT', { isMissed: true })
  await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
  await moment()
  expect(exchange.requests.filter((path) => path.includes('historicalTrades'))).toHaveLength(1)
})

test.each([403, 418, 429])(
  'a handshake that is answered with %s is not tried again before its time',
  async (status) => {
    exchange.failHandshake({ status, retryAfterSeconds: 1, times: 1 })
    const before = Date.now()
    const ingest = await started()
    expect(Date.now() - before).toBeGreaterThanOrEqual(900)
    expect(ingest.notices.join('\n')).toContain(`answered with ${status}`)
    expect(exchange.connections).toHaveLength(1)
  },
)

test('a ban is remembered when the feed is opened anew', async () => {
  exchange.failRest({ status: 418, retryAfterSeconds: 600, times: 1 })
  const feed = binanceFeed({ market: 'spot', symbols: ['BTCUSDT'], endpoints: exchange, isSimulated: true })
  for (let opened = 0; opened < 3; opened++) await (await feed.open(null)).close()
  expect(exchange.requests).toHaveLength(1)
  expect(exchange.connections).toEqual([])
})

test('a symbol that the exchange does not have ends the ingest at once, with what there is', async () => {
  const ingest = newIngest({ symbols: ['BTCUSDT', 'BTCUSD'] })
  await expect(ingest.done).rejects.toThrow(/does not list BTCUSD \(there are BTCUSDT\)/)
})

test('a symbol that is not traded is told, and holds nobody', async () => {
  exchange.delist('ETHUSDT')
  const ingest = await started()
  exchange.trade('BTCUSDT', { time: startMs })
  await ingest.reached('BTCUSDT', 100)
  expect(await ingest.trouble(/not traded/)).toBe('not traded, says the exchange: ETHUSDT')
  exchange.tick(startMs + 10_000)
  await ingest.until(async () => (await heartbeats(ingest)).length === 1)
})

test('where the first hosts are closed the others are used', async () => {
  const second = await SimulatedExchange.start({ firstId: 100, isDataOnly: true })
  others.push(second)
  exchange.faults.refusesConnections = true
  exchange.failRest({ status: 451, times: 1_000 })
  const ingest = newIngest({ fallback: second })
  await second.untilSubscribed('BTCUSDT')
  await ingest.reached('BTCUSDT', second.trade('BTCUSDT'))
  expect(second.requests.some((path) => path.includes('exchangeInfo'))).toBe(true)
})

test('more streams than one connection carries go over several', async () => {
  const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT']
  await restarted({ limits: { streamsPerConnection: 6 } })
  const ingest = newIngest({ symbols, streamsPerConnection: 6 })
  for (const symbol of symbols) await exchange.untilSubscribed(symbol)
  expect(exchange.connections).toHaveLength(2)
  for (const symbol of symbols) await ingest.reached(symbol, exchange.trade(symbol))
})

test('a server that says that it goes, while no other takes a connection, is asked again at times and not without end', async () => {
  let asked = 0
  // An ingest that asks without end would let no test look at it: it is ended from within.
  const onNotice = (notice: string) => {
    if (notice.includes('the server is shutting down') && ++asked > 500) throw new Error('asked without end')
  }
  const ingest = await started({ onNotice })
  exchange.trade('BTCUSDT', { time: startMs })
  await ingest.reached('BTCUSDT', 100)
  exchange.faults.refusesConnections = true
  exchange.announceShutdown()
  await moment()
  expect(asked).toBeGreaterThan(1)
  // The backoff of these tests grows to 50 ms, half of which is waited at least.
  expect(asked).toBeLessThan(60)
  exchange.trade('BTCUSDT', { time: startMs + 1 })
  await ingest.reached('BTCUSDT', 101)
  exchange.faults.refusesConnections = false
  await expect.poll(() => exchange.connections.length).toBe(2)
})

test('a next connection that dies does not take the good one with it', async () => {
  const ingest = await started({ limits: { overlapMs: 400 } })
  exchange.trade('BTCUSDT')
  exchange.announceShutdown()
  await exchange.untilSubscribed('BTCUSDT', 2)
  exchange.dropNewestConnection()
  await exchange.untilSubscribed('BTCUSDT', 1)
  await moment(50)
  await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
  expect(ingest.notices.join('\n')).toMatch(/the old one stays/)
  expect((await ingest.stop()).counts).toMatchObject({ reconnects: 0 })
  expect(exchange.requests.filter((path) => path.includes('rades'))).toEqual([])
})

test('a frame that nobody can read is not lost when its append fails', async () => {
  let failures = 0
  const ingest = newIngest({}, undefined, (inner) => ({
    ...inner,
    append: async (records, position) => {
      if (records.some(({ key }) => key === null) && failures++ === 0) throw new RetryableError('injected: refused')
      await inner.append(records, position)
    },
  }))
  await exchange.untilSubscribed('BTCUSDT')
  await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
  exchange.sendRaw('{"stream":"btcusdt@trade","data":{"e":"tra')
  await ingest.until(async () => (await logContents(ingest.log)).some(({ value }) => value?.endsWith('"tra') ?? false))
  expect(failures).toBeGreaterThan(0)
})

test("nobody but the feed tells of gaps: such a frame of the exchange's is left out", async () => {
  const ingest = await started()
  exchange.sendRaw('{"e":"gap","s":"BTCUSDT","firstId":1}')
  exchange.send(
    'btcusdt@trade',
    `{"e":"trade","E":${startMs},"s":"BTCUSDT","t":5,"p":"1","q":"1","T":${startMs},"m":true,"fill":true}`,
  )
  await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
  expect(await ingest.ids('BTCUSDT')).toEqual([100])
  expect(await ingest.gaps()).toEqual([])
})

test('a connection that is cut in the middle of a frame, and a clock that steps, cost nothing', async () => {
  const ingest = await started()
  exchange.trade('BTCUSDT')
  exchange.cutInMidFrame()
  exchange.faults.clockStepMs = -3_600_000
  exchange.trade('BTCUSDT', { isMissed: true })
  await exchange.untilSubscribed('BTCUSDT')
  await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
  expect(await ingest.ids('BTCUSDT')).toEqual([100, 101, 102])
})

test('shards share the symbols out by partition, and each partition has one of them', async () => {
  const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT', 'SOLUSDT', 'XRPUSDT', 'ADAUSDT']
  await restarted({ symbols })
  const log = new MemoryLog({ partitions: 4 })
  const target = feedTarget(4)
  const shards = [1, 2].map((number) =>
    newIngest({ symbols, shard: { number, of: 2 } }, log, undefined, `shard ${number}`),
  )
  for (const symbol of symbols) await exchange.untilSubscribed(symbol)
  for (const symbol of symbols) exchange.trade(symbol)
  while ((await logContents(log)).length < symbols.length) await moment(20)
  for (const shard of shards) expect((await shard.stop()).records).toBeGreaterThan(0)
  expect(exchange.connections).toHaveLength(2)
  const records = await logContents(log)
  expect(records.map(({ key }) => key).sort()).toEqual([...symbols].sort())
  for (const { key, partition } of records) expect(target.partitionOf(Buffer.from(key ?? ''))).toBe(partition)
})

test('what everything waits for is told while it waits', async () => {
  const live = await started()
  exchange.trade('BTCUSDT')
  await live.reached('BTCUSDT', 100)
  exchange.faults.isRestDown = true
  exchange.trade('BTCUSDT', { isMissed: true })
  exchange.trade('BTCUSDT')
  expect(await live.trouble(/all wait/)).toMatch(/^all wait for missing trades of BTCUSDT: .*did not answer/)
  exchange.faults.isRestDown = false
  await live.reached('BTCUSDT', 102)
  expect(await live.ids('BTCUSDT')).toStrictEqual([100, 101, 102])
  await expect.poll(() => live.progress?.feed?.troubles, { timeout: 5_000 }).toStrictEqual([])
})

test('trades that come behind a gap which was left open, because REST was ahead of the stream, are no ids that start again', async () => {
  const live = await started()
  const start = Date.UTC(2024, 7, 9)
  exchange.trade('BTCUSDT', { time: start })
  await live.reached('BTCUSDT', 100)
  exchange.faults.restLagCount = 5
  exchange.faults.refusesConnections = true
  exchange.dropConnections()
  for (let id = 101; id <= 110; id++) exchange.trade('BTCUSDT', { time: start + (id - 100) * 1_000 })
  exchange.faults.refusesConnections = false
  await exchange.untilSubscribed('BTCUSDT')
  await live.until(async () => (await live.gaps()).length > 0)
  expect((await live.gaps())[0]).toMatchObject({ firstId: 106, lastId: 110, state: 'open' })
  // What waited in buffers, or came over another connection.
  for (let id = 106; id <= 110; id++) exchange.repeat('BTCUSDT', id)
  exchange.trade('BTCUSDT', { time: start + 20_000 })
  await live.reached('BTCUSDT', 111)
  exchange.faults.restLagCount = 0
  await live.until(async () => (await live.gaps()).at(-1)?.state === 'filled')
  expect([...(await live.ids('BTCUSDT'))].sort((a, b) => a - b)).toStrictEqual(range(100, 111))
  expect((await live.stop()).counts).toMatchObject({ restarts: 0, missing: 0 })
})
