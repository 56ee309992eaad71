import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigurationError, RetryableError } from '../../../src/runtime/errors.ts'
import { type BinanceFeedOptions, binanceFeed } from '../../../src/sources/binance/binanceFeed.ts'
import { SimulatedExchange } from '../../../src/testing/exchange/simulatedExchange.ts'
import { isHeartbeat, logContents } from '../ingest/logContents.ts'
import { LiveIngest, range, type Tail } from './liveIngest.ts'

let exchange: SimulatedExchange
const running: LiveIngest[] = []

function newIngest(...rest: Tail<ConstructorParameters<typeof LiveIngest>>): LiveIngest {
  const ingest = new LiveIngest(exchange, ...rest)
  running.push(ingest)
  return ingest
}

beforeEach(async () => {
  exchange = await SimulatedExchange.start({ firstId: 100 })
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((ingest) => ingest.stop()))
  await exchange.close()
})

/** What was asked of REST to fill gaps. */
function fills(): readonly string[] {
  return exchange.requests.filter((path) => /Trades|trades/.test(path))
}

async function started(options: Partial<BinanceFeedOptions> = {}): Promise<LiveIngest> {
  const ingest = newIngest(options)
  await exchange.untilSubscribed('BTCUSDT')
  return ingest
}

describe('spot', () => {
  test('trades go into the log as they were received, repeats only once, other frames not at all', async () => {
    const ingest = await started()
    const first = exchange.trade('BTCUSDT')
    exchange.trade('ETHUSDT')
    exchange.repeat('BTCUSDT', first)
    exchange.send('btcusdt@trade', '{"e":"aggTrade","E":1,"s":"BTCUSDT"}')
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    expect(await ingest.ids('BTCUSDT')).toEqual([100, 101])
    expect(await ingest.ids('ETHUSDT')).toEqual([100])
    const report = await ingest.stop()
    expect(report).toMatchObject({ end: 'stopped', unconfirmedRecords: 0, counts: { otherFrames: 1, unreadable: 0 } })
  })

  test('a frame that is not JSON goes into the log as it is', async () => {
    const ingest = await started()
    exchange.sendRaw('{"stream":"btcusdt@trade","data":{"e":"tra')
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    expect((await logContents(ingest.log)).filter(({ key }) => key === null)).toMatchObject([
      { partition: 0, value: '{"stream":"btcusdt@trade","data":{"e":"tra' },
    ])
  })

  test('missing ids are fetched and go before what came behind them', async () => {
    const ingest = await started()
    exchange.trade('BTCUSDT')
    for (let missed = 0; missed < 2_500; missed++) exchange.trade('BTCUSDT', { isMissed: true })
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    expect(await ingest.ids('BTCUSDT')).toEqual(range(100, 2_601))
    expect(exchange.requests.filter((path) => path.includes('fromId='))).toHaveLength(3)
  })

  test('a fetched trade is the frame that the stream would have brought, but for the event time', async () => {
    const ingest = await started()
    exchange.trade('BTCUSDT')
    exchange.trade('BTCUSDT', { isMissed: true, price: '61837.63000000', quantity: '0.02000000' })
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    const [, filled] = (await logContents(ingest.log)).filter(({ key }) => key === 'BTCUSDT')
    const time = Date.UTC(2024, 7, 9) + 2
    expect(filled?.value).toBe(
      `{"stream":"btcusdt@trade","data":{"e":"trade","E":${time},"s":"BTCUSDT","t":101,"p":"61837.63000000","q":"0.02000000","T":${time},"m":false,"M":true}}`,
    )
  })

  test('after a lost connection it reconnects and fetches what it missed, of quiet symbols too', async () => {
    const ingest = await started()
    exchange.trade('ETHUSDT')
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    exchange.dropConnections()
    const missed = exchange.trade('ETHUSDT', { isMissed: true })
    exchange.trade('BTCUSDT', { isMissed: true })
    await exchange.untilSubscribed('BTCUSDT')
    await ingest.reached('ETHUSDT', missed)
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    expect(await ingest.ids('BTCUSDT')).toEqual([100, 101, 102])
    expect(await ingest.ids('ETHUSDT')).toEqual([100, 101])
    expect(ingest.notices.some((notice) => notice.startsWith('connection lost'))).toBe(true)
  })

  test('it tries again until the exchange takes connections', async () => {
    exchange.faults.refusesConnections = true
    const ingest = newIngest()
    while (ingest.notices.length < 3) await new Promise((resolve) => setImmediate(resolve))
    exchange.faults.refusesConnections = false
    await exchange.untilSubscribed('BTCUSDT')
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
  })

  test.each([
    ['though pings are answered', { answersPings: true }, { stallMs: 100 }, /no frame for \d+ ms/],
    ['and pings are not answered', { answersPings: false }, { deafMs: 100 }, /nothing heard for \d+ ms/],
  ])('a connection that falls silent, %s, is replaced', async (_, how, limits, reason) => {
    const ingest = await started({ limits })
    for (let id = 0; id < 50; id++) exchange.trade('BTCUSDT')
    await ingest.reached('BTCUSDT', 149)
    exchange.fallSilent(how)
    exchange.trade('BTCUSDT')
    await ingest.until(async () => (await ingest.ids('BTCUSDT')).length === 51)
    expect(ingest.notices.join('\n')).toMatch(reason)
    exchange.speakAgain()
    await exchange.untilSubscribed('BTCUSDT')
  })

  test.each([
    ['says that it shuts down', () => exchange.announceShutdown(), {}],
    ['is about to cut a connection that is too old', () => undefined, { maxAgeMs: 150 }],
  ])(
    'when the server %s, the next connection is opened beside the old one, without a gap or a repeat',
    async (_, act, limits) => {
      const ingest = await started({ limits: { overlapMs: 60, ...limits } })
      exchange.trade('BTCUSDT')
      act()
      await exchange.untilSubscribed('BTCUSDT', 2)
      for (let id = 0; id < 20; id++) exchange.trade('BTCUSDT')
      await exchange.untilSubscribed('BTCUSDT', 1)
      await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
      expect(await ingest.ids('BTCUSDT')).toEqual(range(100, 121))
      expect(fills()).toEqual([])
    },
  )

  test('a gap that REST refuses to fill is told aloud, and the trades behind it go on', async () => {
    const ingest = await started()
    exchange.trade('BTCUSDT')
    exchange.failRest({ status: 400, times: 10, path: 'historicalTrades' })
    exchange.trade('BTCUSDT', { isMissed: true })
    exchange.trade('BTCUSDT', { isMissed: true })
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    expect((await ingest.ids('BTCUSDT')).slice(0, 2)).toEqual([100, 103])
    expect(ingest.notices.join('\n')).toMatch(/GAP: BTCUSDT trades 101 to 102 could not be had at once \(2\)/)
  })

  test('after 429 nothing is asked before the time that the exchange names', async () => {
    const ingest = await started()
    exchange.trade('BTCUSDT')
    exchange.failRest({ status: 429, retryAfterSeconds: 1 })
    exchange.trade('BTCUSDT', { isMissed: true })
    const before = Date.now()
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    expect(Date.now() - before).toBeGreaterThanOrEqual(990)
    expect(await ingest.ids('BTCUSDT')).toEqual([100, 101, 102])
    expect(fills()).toHaveLength(2)
  })

  test('a ban longer than the deadline is not waited for', async () => {
    const ingest = await started()
    exchange.trade('BTCUSDT')
    exchange.failRest({ status: 418, retryAfterSeconds: 600 })
    exchange.trade('BTCUSDT', { isMissed: true })
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    exchange.trade('BTCUSDT', { isMissed: true })
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    expect(await ingest.ids('BTCUSDT')).toEqual([100, 102, 104])
    expect(fills()).toHaveLength(1)
  })

  test('started again, it goes on behind the last trade of each symbol', async () => {
    const first = await started()
    exchange.trade('ETHUSDT')
    await first.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    await first.stop()
    await exchange.untilSubscribed('BTCUSDT', 0)
    for (let missed = 0; missed < 30; missed++) exchange.trade('BTCUSDT', { isMissed: true })
    exchange.trade('ETHUSDT', { isMissed: true })
    const second = newIngest({}, first.log)
    await second.reached('ETHUSDT', 101)
    await second.reached('BTCUSDT', 130)
    await second.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    expect(await second.ids('BTCUSDT')).toEqual(range(100, 131))
    expect(await second.ids('ETHUSDT')).toEqual([100, 101])
  })

  test('what several symbols have missed comes in the order of trade times, so that time runs ahead of none of them', async () => {
    const first = await started()
    exchange.trade('ETHUSDT')
    await first.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    await first.stop()
    await exchange.untilSubscribed('BTCUSDT', 0)
    const startMs = Date.UTC(2024, 7, 9) + 10_000
    for (let second = 0; second < 600; second++) {
      exchange.trade('ETHUSDT', { isMissed: true, time: startMs + second * 1_000 })
      for (let more = 0; more < 4; more++)
        exchange.trade('BTCUSDT', { isMissed: true, time: startMs + second * 1_000 + more * 100 })
    }
    const order: number[] = []
    const second = newIngest({}, first.log, (inner) => ({
      ...inner,
      append: async (records, position) => {
        for (const { key, timestamp } of records) if (key !== null) order.push(timestamp)
        await inner.append(records, position)
      },
    }))
    await second.reached('BTCUSDT', 2_500)
    await second.reached('ETHUSDT', 700)
    expect(order).toHaveLength(3_000)
    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(await second.ids('BTCUSDT')).toEqual(range(100, 2_500))
  })

  test('started again after too long, it goes on at once, says what is missing, and fetches it later', async () => {
    const first = await started()
    await first.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    await first.stop()
    await exchange.untilSubscribed('BTCUSDT', 0)
    for (let missed = 0; missed < 30; missed++) exchange.trade('BTCUSDT', { isMissed: true })
    const second = newIngest({ limits: { maxFillTrades: 20 } }, first.log)
    await exchange.untilSubscribed('BTCUSDT')
    await second.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    await second.reached('BTCUSDT', 130)
    expect([...(await second.ids('BTCUSDT'))].sort((a, b) => a - b)).toEqual(range(100, 131))
    expect(second.notices.join('\n')).toMatch(/GAP: BTCUSDT trades 101 to 13[01] could not be had at once/)
    await second.until(async () => (await second.gaps()).length === 2)
    expect(await second.gaps()).toMatchObject([
      { s: 'BTCUSDT', firstId: 101, state: 'open', revision: 1 },
      { s: 'BTCUSDT', firstId: 101, state: 'filled', missing: 0, revision: 2 },
    ])
    const late = (await logContents(second.log)).filter(({ value }) => value?.includes('"fill":true'))
    expect(late.length).toBeGreaterThanOrEqual(30)
  })

  test('one absurd id does not turn the trades after it into repeats', async () => {
    const ingest = await started()
    exchange.trade('BTCUSDT')
    exchange.send(
      'btcusdt@trade',
      '{"e":"trade","E":1,"s":"BTCUSDT","t":9007199254740991,"p":"1","q":"1","T":1,"m":true}',
    )
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    expect(await ingest.ids('BTCUSDT')).toEqual([100, 9007199254740991, 101])
  })

  test('a log that fails for a while costs nothing and repeats nothing', async () => {
    let appends = 0
    const ingest = newIngest({}, undefined, (inner) => ({
      ...inner,
      append: async (records, position) => {
        const turn = appends++
        if (turn % 3 === 1) throw new RetryableError('injected: refused')
        await inner.append(records, position)
        if (turn % 3 === 2) throw new RetryableError('injected: reply lost')
      },
    }))
    await exchange.untilSubscribed('BTCUSDT')
    for (let id = 100; id < 106; id++) await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    expect(await ingest.ids('BTCUSDT')).toEqual(range(100, 105))
    expect(exchange.connections).toHaveLength(1)
  })

  test('received frames are bounded: past the limit the socket waits, and nothing is lost', async () => {
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const ingest = newIngest({ limits: { maxHeldBytes: 20_000 } }, undefined, (inner) => ({
      ...inner,
      append: async (records, position) => {
        await gate
        await inner.append(records, position)
      },
    }))
    await exchange.untilSubscribed('BTCUSDT')
    for (let id = 0; id < 5_000; id++) exchange.trade('BTCUSDT')
    open()
    await ingest.reached('BTCUSDT', 5_099)
    expect(await ingest.ids('BTCUSDT')).toEqual(range(100, 5_099))
  })

  test('while no symbol trades, partitions are told the time that tickers prove, and none that pings prove', async () => {
    const ingest = await started()
    const startMs = Date.UTC(2024, 7, 9)
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) exchange.trade(symbol, { time: startMs })
    await ingest.reached('ETHUSDT', 100)
    const waiting = new Promise((resolve) => setTimeout(resolve, 700))
    await waiting
    expect((await logContents(ingest.log)).filter(isHeartbeat)).toEqual([])
    exchange.tick(startMs + 10_000)
    await ingest.until(async () => (await logContents(ingest.log)).filter(isHeartbeat).length === 2)
    const heartbeats = (await logContents(ingest.log)).filter(isHeartbeat)
    expect(heartbeats.map(({ timestamp }) => timestamp)).toEqual([startMs + 9_000, startMs + 9_000])
  })

  test('microseconds are asked for where they are wanted', async () => {
    await started({ timeUnit: 'us' })
    expect(exchange.connections).toEqual(['/stream?timeUnit=MICROSECOND'])
  })
})

describe('futures', () => {
  test('skipped ids are no gap', async () => {
    const ingest = await started({ market: 'usdm' })
    exchange.trade('BTCUSDT')
    exchange.trade('BTCUSDT', { isMissed: true })
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    expect(await ingest.ids('BTCUSDT')).toEqual([100, 102])
    expect(fills()).toEqual([])
  })

  test('after a lost connection the newest trades are fetched', async () => {
    const ingest = await started({ market: 'usdm' })
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT'))
    exchange.dropConnections()
    await ingest.reached('BTCUSDT', exchange.trade('BTCUSDT', { isMissed: true }))
    expect(await ingest.ids('BTCUSDT')).toEqual([100, 101])
    expect((await logContents(ingest.log)).at(-1)?.value).toContain('"X":"MARKET"')
  })
})

test.each([
  ['no symbols', { symbols: [] }, /at least one symbol/],
  ['a lower-case symbol', { symbols: ['btcusdt'] }, /written like BTCUSDT/],
  ['a symbol twice', { symbols: ['BTCUSDT', 'ETHUSDT', 'BTCUSDT'] }, /BTCUSDT twice/],
  ['microseconds on futures', { market: 'usdm', timeUnit: 'us' }, /milliseconds only/],
  ['a stream that is no URL', { endpoints: { streamUrl: 'here' } }, /streamUrl must be a URL/],
  ['a REST base of another kind', { endpoints: { restUrl: 'wss://x' } }, /restUrl must be a URL/],
] as const)('%s is a configuration error', (_, options, message) => {
  const build = () => binanceFeed({ market: 'spot', symbols: ['BTCUSDT'], ...options })
  expect(build).toThrow(ConfigurationError)
  expect(build).toThrow(message)
})

test.each(['{"line":1,"byte":2}', '{"market":"usdm","lastIds":{}}', 'x'])(
  'a position that is not its own is refused: %s',
  async (position) => {
    const feed = binanceFeed({ market: 'spot', symbols: ['BTCUSDT'], endpoints: exchange, isSimulated: true })
    await expect(feed.open(position)).rejects.toThrow(/not a position of this feed/)
  },
)
