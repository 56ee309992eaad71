import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { formatFixed } from '../../../src/exact/decimal.ts'
import { tradeCodec } from '../../../src/market/tradeCodec.ts'
import { RecordView } from '../../../src/runtime/log/record.ts'
import { SeededTrading } from '../../../src/testing/exchange/seededTrading.ts'
import { SimulatedExchange, type SimulatedExchangeOptions } from '../../../src/testing/exchange/simulatedExchange.ts'

const startMs = Date.UTC(2024, 7, 9)
let exchange: SimulatedExchange
const clients: Client[] = []
beforeEach(() => start({}))
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate()
  await exchange.close()
})

async function start(options: SimulatedExchangeOptions): Promise<void> {
  if (exchange !== undefined) await exchange.close()
  exchange = await SimulatedExchange.start({ startMs, ...options })
}

/** Whatever JSON tells. */
type Told = ReturnType<typeof JSON.parse>

/** What one connection got, in order. */
class Client {
  readonly texts: string[] = []
  readonly socket: WebSocket
  readonly closed: Promise<string>
  #wake: () => void = () => undefined

  constructor(path: string) {
    this.socket = new WebSocket(`${exchange.streamUrl}${path}`)
    this.socket.on('message', (data) => {
      this.texts.push(String(data))
      this.#wake()
    })
    this.closed = new Promise((resolve) => {
      let problem = ''
      this.socket.on('error', (error) => {
        problem = error.message
      })
      this.socket.on('close', (code) => resolve(`${code} ${problem}`.trim()))
    })
  }

  async got(count: number): Promise<Told[]> {
    while (this.texts.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.texts.map((text) => JSON.parse(text))
  }
}

async function connected(path: string): Promise<Client> {
  const client = new Client(path)
  clients.push(client)
  await new Promise((resolve, reject) => {
    client.socket.once('open', resolve)
    client.socket.once('error', reject)
  })
  return client
}

async function get(path: string, headers: Record<string, string> = {}): Promise<{ answer: Response; body: Told }> {
  const answer = await fetch(`${exchange.restUrl}${path}`, { headers })
  const text = await answer.text()
  return { answer, body: text === '' ? '' : JSON.parse(text) }
}

function traded(seconds: number, seed: number | string = 1): void {
  const trading = new SeededTrading({ exchange, seed, tradesPerSecond: 50 })
  for (let at = 0; at < seconds * 1_000; at += 500) trading.step(startMs + at, startMs + at + 500)
}

describe('one list of trades', () => {
  test('the same seed gives the same market, another one another', async () => {
    traded(30)
    const first = exchange.trades('BTCUSDT')
    await start({})
    traded(30)
    expect(exchange.trades('BTCUSDT')).toEqual(first)
    expect(first.length).toBeGreaterThan(200)
    await start({})
    traded(30, 2)
    expect(exchange.trades('BTCUSDT')).not.toEqual(first)
  })

  test('the stream, historicalTrades and aggTrades tell the same trades', async () => {
    const client = await connected('/stream?streams=btcusdt@trade/btcusdt@aggTrade')
    await exchange.untilSubscribed('BTCUSDT')
    traded(60)
    const all = exchange.trades('BTCUSDT')
    const orders = new Set(all.map(({ orderId }) => orderId)).size
    const frames = await client.got(all.length + orders)
    const streamed = frames.filter(({ stream }) => stream === 'btcusdt@trade').map(({ data }) => data)
    const rows: Told[] = []
    while (rows.length < all.length) {
      rows.push(...(await get(`/api/v3/historicalTrades?symbol=BTCUSDT&fromId=${rows.length + 1}&limit=1000`)).body)
    }
    expect(streamed.map(({ t, p, q, T, m }) => [t, p, q, T, m])).toEqual(
      rows.map((row) => [row.id, row.price, row.qty, row.time, row.isBuyerMaker]),
    )
    const aggregated = frames.filter(({ stream }) => stream === 'btcusdt@aggTrade').map(({ data }) => data)
    const asked = (await get('/api/v3/aggTrades?symbol=BTCUSDT&fromId=0&limit=1000')).body
    expect(aggregated.slice(0, 1_000).map(({ e, E, s, ...row }) => row)).toEqual(asked)
    // Sums over the aggregates are those over the trades.
    const total = (texts: string[]) => texts.reduce((sum, text) => sum + BigInt(text.replace('.', '')), 0n)
    expect(total(aggregated.map(({ q }) => q))).toBe(total(streamed.map(({ q }) => q)))
  })

  test('candles by REST are those that its trades make, field for field', async () => {
    traded(200)
    const { body } = await get('/api/v3/klines?symbol=ETHUSDT&interval=1m&limit=1000')
    const oracle = exchange.klines('ETHUSDT', '1m')
    expect(body).toHaveLength(4)
    const minute = exchange.trades('ETHUSDT').filter(({ time }) => time < startMs + 60_000)
    const [first] = oracle
    expect(first).toMatchObject({
      openTime: startMs,
      open: minute[0]?.price,
      close: minute.at(-1)?.price,
      tradeCount: minute.length,
      firstTradeId: 1,
      lastTradeId: minute.length,
      volume: minute.reduce((sum, { quantity }) => sum + quantity, 0n),
    })
    expect(body[0].slice(1, 9)).toEqual([
      ...[first?.open, first?.high, first?.low, first?.close, first?.volume].map((count) =>
        formatFixed(count ?? 0n, 8, 8),
      ),
      startMs + 59_999,
      formatFixed(first?.quoteVolume ?? 0n, 16, 8),
      minute.length,
    ])
  })

  test('an interval without a trade is a flat candle', async () => {
    exchange.trade('BTCUSDT', { time: startMs, price: '7.00000000' })
    exchange.trade('BTCUSDT', { time: startMs + 130_000 })
    const klines = exchange.klines('BTCUSDT', '1m')
    expect(klines.map(({ tradeCount, close }) => [tradeCount, close])).toEqual([
      [1, 700_000_000n],
      [0, 700_000_000n],
      [1, 10_000_000_000n],
    ])
  })

  test('kline and ticker streams say the newest trade, and a candle is told closed once', async () => {
    const client = await connected('/stream?streams=btcusdt@kline_1m/btcusdt@ticker')
    while (exchange.connections.length === 0) await new Promise((resolve) => setImmediate(resolve))
    exchange.trade('BTCUSDT', { time: startMs + 5 })
    exchange.tick(startMs + 59_000)
    exchange.tick(startMs + 60_000)
    const frames = (await client.got(5)).map(({ data }) => data)
    expect(
      frames.map((data) =>
        data.e === 'kline' ? [data.k.t - startMs, data.k.x, data.k.n] : [data.L, data.C - startMs],
      ),
    ).toEqual([
      [0, false, 1],
      [1, 59_000],
      [0, true, 1],
      [60_000, false, 0],
      [1, 60_000],
    ])
  })

  test('updates of the book lead from one snapshot to the next', async () => {
    exchange.trade('BTCUSDT')
    const before = (await get('/api/v3/depth?symbol=BTCUSDT&limit=100')).body
    const client = await connected('/ws/btcusdt@depth')
    await get('/api/v3/ping')
    for (let trades = 0; trades < 20; trades++) exchange.trade('BTCUSDT', { price: `${100 + (trades % 5)}.00000000` })
    const updates = await client.got(20)
    const after = (await get('/api/v3/depth?symbol=BTCUSDT&limit=100')).body
    const bids = new Map<string, string>(before.bids)
    let id = before.lastUpdateId
    for (const { U, u, b } of updates) {
      expect(U).toBe(id + 1)
      id = u
      for (const [price, quantity] of b) {
        if (quantity === '0.00000000') bids.delete(price)
        else bids.set(price, quantity)
      }
    }
    expect(id).toBe(after.lastUpdateId)
    expect(bids).toEqual(new Map(after.bids))
  })

  test.each([1, 1_000])('its frames are trades to the codec, in units of 1/%s ms', async (perMs) => {
    const client = await connected(`/stream?streams=btcusdt@trade${perMs === 1 ? '' : '&timeUnit=MICROSECOND'}`)
    await exchange.untilSubscribed('BTCUSDT')
    exchange.trade('BTCUSDT', { time: startMs + 7 })
    await client.got(1)
    const codec = tradeCodec({ market: 'spot', timeUnit: perMs === 1 ? 'ms' : 'us' })
    const record = new RecordView()
    record.buffer = Buffer.from(client.texts[0] ?? '')
    record.valueStart = 0
    record.valueLength = record.buffer.length
    expect(codec.decode(record)).toMatchObject({ type: 'trade', tradeId: 1, tradeTime: startMs + 7 })
  })
})

describe('limits', () => {
  test('more than five messages a second, pings counted, cut the connection', async () => {
    const client = await connected('/ws/btcusdt@trade')
    for (let ping = 0; ping < 6; ping++) client.socket.ping()
    expect(await client.closed).toBe('1008')
  })

  test('a connection carries 1,024 streams', async () => {
    const client = await connected('/stream')
    const params = Array.from({ length: 1_025 }, (_, index) => `s${index}@trade`)
    client.socket.send(JSON.stringify({ method: 'SUBSCRIBE', params: params.slice(1), id: 1 }))
    client.socket.send(JSON.stringify({ method: 'SUBSCRIBE', params: params.slice(0, 1), id: 2 }))
    expect(await client.got(2)).toMatchObject([
      { result: null, id: 1 },
      { error: { code: 2 }, id: 2 },
    ])
  })

  test('weight is counted by the minute; past the limit 429 says how long, and asking on is a ban', async () => {
    await start({ limits: { weightPerMinute: 100, requestsUntilBan: 2 } })
    const trades = '/api/v3/historicalTrades?symbol=BTCUSDT&fromId=1'
    for (const used of [25, 50, 75, 100]) {
      expect((await get(trades)).answer.headers.get('x-mbx-used-weight-1m')).toBe(String(used))
    }
    const { answer } = await get(trades)
    expect(answer.status).toBe(429)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await get(trades)).answer.status).toBe(429)
    const banned = (await get(trades)).answer
    expect([banned.status, banned.headers.get('retry-after')]).toEqual([418, '120'])
    await expect(connected('/ws/btcusdt@trade')).rejects.toThrow(/418/)
  })

  test('too many connections are refused', async () => {
    await start({ limits: { connectionsPer5Minutes: 1 } })
    await connected('/ws/btcusdt@trade')
    await expect(connected('/ws/btcusdt@trade')).rejects.toThrow(/429/)
  })

  test('a connection ends with its time', async () => {
    await start({ limits: { maxConnectionMs: 30 } })
    expect(await (await connected('/ws/btcusdt@trade')).closed).toBe('1001')
  })
})

describe('faults', () => {
  test('a cut in the middle of a frame gives no message', async () => {
    const client = await connected('/ws/btcusdt@trade')
    await exchange.untilSubscribed('BTCUSDT')
    exchange.cutInMidFrame()
    expect(await client.closed).toMatch(/^1006/)
    expect(client.texts).toEqual([])
  })

  test('one stream stalls and the others go on', async () => {
    const client = await connected('/stream?streams=btcusdt@trade/btcusdt@aggTrade')
    await exchange.untilSubscribed('BTCUSDT')
    exchange.faults.stalled.add('btcusdt@trade')
    exchange.trade('BTCUSDT')
    expect(await client.got(1)).toMatchObject([{ stream: 'btcusdt@aggTrade' }])
  })

  test('disorder loses and repeats nothing', async () => {
    const client = await connected('/stream?streams=btcusdt@trade')
    await exchange.untilSubscribed('BTCUSDT')
    exchange.disorder(10)
    for (let trades = 0; trades < 12; trades++) exchange.trade('BTCUSDT')
    const ids = (await client.got(12)).map(({ data }) => data.t)
    expect(ids).not.toEqual([...ids].sort((a, b) => a - b))
    expect([...ids].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1))
  })

  test('ids start again: REST knows the new ones only, candles count both', async () => {
    exchange.trade('BTCUSDT')
    exchange.trade('BTCUSDT')
    exchange.startIdsAgain('BTCUSDT')
    exchange.trade('BTCUSDT')
    const { body } = await get('/api/v3/historicalTrades?symbol=BTCUSDT&fromId=0')
    expect(body.map(({ id, time }: Told) => [id, time])).toEqual([[1, startMs + 3]])
    expect(exchange.klines('BTCUSDT', '1m')[0]?.tradeCount).toBe(3)
  })

  test('REST lags, gives disorder, tells a false candle, or is away', async () => {
    for (let trades = 0; trades < 40; trades++) exchange.trade('BTCUSDT')
    exchange.faults.restLagCount = 30
    expect((await get('/api/v3/trades?symbol=BTCUSDT')).body).toHaveLength(10)
    exchange.faults.isRestUnsorted = true
    const ids = (await get('/api/v3/trades?symbol=BTCUSDT')).body.map(({ id }: Told) => id)
    expect(ids).not.toEqual([...ids].sort((a, b) => a - b))
    exchange.falsifyKline('BTCUSDT', startMs)
    expect((await get('/api/v3/klines?symbol=BTCUSDT&interval=1m')).body[0][5]).toBe('40.00000001')
    exchange.faults.isRestDown = true
    await expect(get('/api/v3/ping')).rejects.toThrow()
  })

  test('what is delisted or unknown is told as the exchange tells it', async () => {
    exchange.delist('ETHUSDT')
    const { body } = await get('/api/v3/exchangeInfo?symbols=["BTCUSDT","ETHUSDT"]')
    expect(body.symbols.map(({ symbol, status }: Told) => [symbol, status])).toEqual([
      ['BTCUSDT', 'TRADING'],
      ['ETHUSDT', 'BREAK'],
    ])
    expect(await get('/api/v3/exchangeInfo?symbol=BTCUSD')).toMatchObject({ body: { code: -1121 } })
    expect((await get('/api/v3/klines?symbol=BTCUSD&interval=1m')).answer.status).toBe(400)
  })

  test('refusals strike as often as they were told to, REST and handshake', async () => {
    exchange.failRest({ status: 403, times: 2, path: 'klines' })
    const statuses = []
    for (const path of [
      'klines?symbol=BTCUSDT&interval=1m',
      'ping',
      'klines?symbol=BTCUSDT&interval=1m',
      'klines?symbol=BTCUSDT&interval=1m',
    ])
      statuses.push((await get(`/api/v3/${path}`)).answer.status)
    expect(statuses).toEqual([403, 200, 403, 200])
    exchange.failHandshake({ status: 429, retryAfterSeconds: 7 })
    await expect(connected('/ws/btcusdt@trade')).rejects.toThrow(/429/)
    await connected('/ws/btcusdt@trade')
  })

  test('every fault that chance brings ends', async () => {
    const told: string[] = []
    const trading = new SeededTrading({
      exchange,
      seed: 3,
      tradesPerSecond: 5,
      faultsPerMinute: 60,
      onFault: (what) => told.push(what),
    })
    for (let at = 0; at < 600_000; at += 500) trading.step(startMs + at, startMs + at + 500)
    await trading.stop()
    expect(trading.faults.size).toBeGreaterThan(10)
    expect(told.length).toBe([...trading.faults.values()].reduce((sum, count) => sum + count, 0))
    exchange.forgetRefusals()
    expect(exchange.faults).toMatchObject({
      isSilent: false,
      isDeaf: false,
      isRestDown: false,
      isRestUnsorted: false,
      clockStepMs: 0,
    })
    expect(exchange.faults.stalled.size).toBe(0)
  })
})
