import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, expect, test } from 'vitest'
import { archiveTradesFeed } from '../../src/backfill/archiveTradesFeed.ts'
import { binanceHistory } from '../../src/backfill/binanceHistory.ts'
import type { ExchangeApi } from '../../src/backfill/exchangeApi.ts'
import { tradesFeed } from '../../src/backfill/tradesFeed.ts'
import type { FrameFeed } from '../../src/sources/market/frameFeed.ts'
import { apiFor } from './apiFor.ts'
import { type FakeRest, type FakeRestOptions, fakeRest } from './fakeRest.ts'
import { zipOf } from './zipOf.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-trades-'))
const open: FakeRest[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const start = Date.UTC(2024, 7, 8)
interface Row {
  readonly id: number
  readonly price: string
  readonly qty: string
  readonly time: number
  readonly isBuyerMaker: boolean
  readonly isBestMatch: boolean
}

/** Trades with ids from `first` on, each so many ms behind the one before. */
function tradesOf(first: number, count: number, everyMs: number): readonly Row[] {
  return Array.from({ length: count }, (_, index) => ({
    id: first + index,
    price: `${100 + (index % 7)}.00000000`,
    qty: '0.50000000',
    time: start + index * everyMs,
    isBuyerMaker: index % 2 === 0,
    isBestMatch: true,
  }))
}

const btc = tradesOf(5_000, 2_300, 100)
const eth = tradesOf(77, 1_400, 170)

async function exchangeOf(options: Partial<FakeRestOptions> = {}) {
  const all: Readonly<Record<string, readonly Row[]>> = { BTCUSDT: btc, ETHUSDT: eth }
  const of = (query: URLSearchParams) => all[query.get('symbol') ?? ''] ?? []
  const exchange = await fakeRest({
    now: start,
    answers: {
      aggTrades: (query) =>
        of(query)
          .filter((row) => row.time >= Number(query.get('startTime')))
          .slice(0, 1)
          .map((row) => ({ a: 1, f: row.id, l: row.id })),
      historicalTrades: (query) =>
        of(query)
          .filter((row) => row.id >= Number(query.get('fromId')))
          .slice(0, Number(query.get('limit')))
          .reverse(),
    },
    ...options,
  })
  open.push(exchange)
  return exchange
}

function historyOf(api: ExchangeApi) {
  const { trades } = binanceHistory(api, 'spot')
  if (trades === null) throw new Error('spot has trades')
  return { api, trades }
}

function feedOf(exchange: FakeRest, symbols = ['BTCUSDT', 'ETHUSDT'], from = start, to = start + 1e9): FrameFeed {
  return tradesFeed({
    symbols,
    range: { from, to },
    name: 'binance spot',
    historyOf: (signal) => historyOf(apiFor(exchange.url, { signal, weightPerMinute: 6_000 })),
  })
}

interface Frame {
  readonly stream: string
  readonly data: {
    readonly s: string
    readonly t: number
    readonly T: number
    readonly p: string
    readonly q: string
    readonly m: boolean
  }
}

async function readAll(
  feed: FrameFeed,
  options: { maxFrames?: number; reopen?: boolean } = {},
): Promise<readonly Frame[]> {
  const frames: Frame[] = []
  let reader = await feed.open(null)
  const signal = new AbortController().signal
  for (;;) {
    const batch = await reader.read({ maxFrames: options.maxFrames ?? 333, maxBytes: 1e6, lingerMs: 0, signal })
    if (batch === null) break
    frames.push(...batch.frames.map((frame) => JSON.parse(frame.toString()) as Frame))
    if (options.reopen !== true) continue
    await reader.close()
    reader = await feed.open(batch.position)
  }
  await reader.close()
  return frames
}

test('old trades come as the frames of the stream, all symbols by time, each by id, without a hole', async () => {
  const frames = await readAll(feedOf(await exchangeOf()))
  for (const [symbol, rows] of [
    ['BTCUSDT', btc],
    ['ETHUSDT', eth],
  ] as const) {
    expect(frames.filter(({ data }) => data.s === symbol).map(({ data }) => data.t)).toStrictEqual(
      rows.map((row) => row.id),
    )
  }
  expect(frames[0]).toStrictEqual({
    stream: 'btcusdt@trade',
    data: {
      e: 'trade',
      E: start,
      s: 'BTCUSDT',
      t: 5_000,
      p: '100.00000000',
      q: '0.50000000',
      T: start,
      m: true,
      M: true,
    },
  })
  const times = frames.map(({ data }) => data.T)
  expect(times).toStrictEqual([...times].sort((one, other) => one - other))
})

test('only the range is taken, and what is behind it is not asked for', async () => {
  const exchange = await exchangeOf()
  const frames = await readAll(feedOf(exchange, ['BTCUSDT'], start + 1_000, start + 3_000))
  expect(frames.map(({ data }) => data.t)).toStrictEqual(Array.from({ length: 20 }, (_, index) => 5_010 + index))
  expect(exchange.requests).toHaveLength(2)
  expect(await readAll(feedOf(exchange, ['BTCUSDT'], start + 1e8))).toStrictEqual([])
})

test('stopped behind any read it goes on with the same frames', async () => {
  const exchange = await exchangeOf()
  const whole = await readAll(feedOf(exchange))
  expect(await readAll(feedOf(exchange), { maxFrames: 137, reopen: true })).toStrictEqual(whole)
})

test('a stop does not wait for the exchange, and loses nothing', async () => {
  const exchange = await exchangeOf({ fault: () => ({ status: 429, headers: { 'retry-after': '500' } }) })
  const feed = tradesFeed({
    symbols: ['BTCUSDT'],
    range: { from: start, to: start + 1e9 },
    name: 'binance spot',
    historyOf: (signal) =>
      historyOf(
        apiFor(exchange.url, {
          signal,
          clock: {
            now: () => 0,
            sleep: (_ms, ended) => new Promise((resolve) => ended?.addEventListener('abort', () => resolve())),
          },
        }),
      ),
  })
  const reader = await feed.open(null)
  const stop = new AbortController()
  const reading = reader.read({ maxFrames: 10, maxBytes: 1e6, lingerMs: 0, signal: stop.signal })
  setTimeout(() => stop.abort(), 50)
  expect(await reading).toMatchObject({ frames: [], position: '{"next":{}}' })
})

test('answers that leave a trade out, or are something else, end it instead of making a hole', async () => {
  const hole = await exchangeOf({
    answers: { aggTrades: () => [{ f: 5_000 }], historicalTrades: () => [btc[0], btc[2]] },
  })
  await expect(readAll(feedOf(hole, ['BTCUSDT']))).rejects.toThrow('goes on with trade 5002 where 5001 was asked for')
  const odd = await exchangeOf({ answers: { aggTrades: () => [{ f: 5_000 }], historicalTrades: () => [{ id: 'x' }] } })
  await expect(readAll(feedOf(odd, ['BTCUSDT']))).rejects.toThrow('is not what the exchange documents')
  await expect(feedOf(odd, ['BTCUSDT']).open('{"next":{"ETHUSDT":1}}')).rejects.toThrow('not a position of them')
})

const rowOf = (row: Row) =>
  [row.id, row.price, row.qty, '50.0', row.time, row.isBuyerMaker ? 'True' : 'False', 'True'].join(',')

test('archives of trades are the frames that REST gives, behind any line, with times in either unit', async () => {
  const expected = (await readAll(feedOf(await exchangeOf(), ['BTCUSDT']))) as readonly unknown[]
  const [one, other] = [btc.slice(0, 1_000), btc.slice(1_000)]
  const paths = [join(folder, 'BTCUSDT-trades-2024-08-08.zip'), join(folder, 'BTCUSDT-trades-2024-08-09.csv')]
  writeFileSync(paths[0] as string, zipOf({ 'a.csv': Buffer.from(one.map(rowOf).join('\n')) }))
  const us = other.map((row) => rowOf({ ...row, time: row.time * 1_000 + 7 }))
  writeFileSync(paths[1] as string, `id,price,qty,quote_qty,time,is_buyer_maker,is_best_match\n${us.join('\n')}\n`)
  const units: string[] = []
  const feed = archiveTradesFeed({
    market: 'spot',
    symbol: 'BTCUSDT',
    paths,
    onUnit: (_path, unit) => units.push(unit),
  })
  expect(await readAll(feed)).toStrictEqual(expected)
  expect(units).toStrictEqual(['ms', 'us'])
  expect(await readAll(feed, { maxFrames: 97, reopen: true })).toStrictEqual(expected)
})

test('a line of an archive that is no trade says which', async () => {
  const path = join(folder, 'BTCUSDT-trades-2024-08-10.csv')
  const feed = archiveTradesFeed({ market: 'spot', symbol: 'BTCUSDT', paths: [path], onUnit: () => {} })
  for (const [line, words] of [
    ['1,2,3', 'line 2 is no trade'],
    [rowOf({ ...(btc[1] as Row), price: '1e5' }), 'line 2 is no trade'],
    [
      rowOf(btc[1] as Row)
        .replace('True', 'yes')
        .replace('False', 'yes'),
      'line 2 is no trade',
    ],
    [rowOf({ ...(btc[1] as Row), time: 17 }), 'line 2: "17" is no time'],
  ] as const) {
    writeFileSync(path, `${rowOf(btc[0] as Row)}\n${line}\n`)
    await expect(readAll(feed), line).rejects.toThrow(words)
  }
})

const tape = '../shared/data/spot-btcusdt-2024-08-08/frames.trades.jsonl.gz'
test.skipIf(!existsSync(tape))('a real tape, written as an archive, is the same trades again', async () => {
  const frames = gunzipSync(readFileSync(tape))
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Frame)
  const path = join(folder, 'BTCUSDT-trades-2024-08-11.csv')
  const rows = frames.map(({ data }) =>
    rowOf({ id: data.t, price: data.p, qty: data.q, time: data.T, isBuyerMaker: data.m, isBestMatch: true }),
  )
  writeFileSync(path, rows.join('\n'))
  const read = await readAll(archiveTradesFeed({ market: 'spot', symbol: 'BTCUSDT', paths: [path], onUnit: () => {} }))
  const known = ({ stream, data }: Frame) => [stream, data.s, data.t, data.p, data.q, data.T, data.m]
  expect(read.map(known)).toStrictEqual(frames.map(known))
})
