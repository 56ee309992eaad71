import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import type { BinanceFeedOptions } from '../../../src/sources/binance/binanceFeed.ts'
import { followingFeed } from '../../../src/sources/symbols/followingFeed.ts'
import { SymbolsFollower } from '../../../src/sources/symbols/followSymbols.ts'
import { SimulatedExchange, type SimulatedExchangeOptions } from '../../../src/testing/exchange/simulatedExchange.ts'
import { logContents } from '../ingest/logContents.ts'
import { LiveIngest, range } from './liveIngest.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-subscriptions-'))
const path = join(folder, 'symbols.yaml')
let exchange: SimulatedExchange
let ingest: LiveIngest | null = null
let seconds = 0

beforeEach(() => {
  seconds = 0
})
afterEach(async () => {
  await ingest?.stop()
  ingest = null
  await exchange.close()
  rmSync(path, { force: true })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function write(symbols: readonly string[]): void {
  const list = symbols.map((symbol) => `  - { symbol: ${symbol}, tier: all }\n`).join('')
  writeFileSync(`${path}.new`, `tiers: { all: { streams: [trade] } }\nsymbols:\n${list}`)
  renameSync(`${path}.new`, path)
  seconds++
}

async function follow(
  symbols: readonly string[],
  options: SimulatedExchangeOptions = {},
  feedOptions: Partial<BinanceFeedOptions> = {},
): Promise<LiveIngest> {
  exchange = await SimulatedExchange.start(options)
  write(symbols)
  const following: Following = (feedOf) => {
    const follower = new SymbolsFollower(
      { path, now: () => seconds * 1_000, onNotice: () => undefined },
      symbols.map((symbol) => `${symbol.toLowerCase()}@trade`),
    )
    return followingFeed({ name: 'following', isSimulated: true, follower, feedOf: async (wanted) => feedOf(wanted) })
  }
  ingest = new LiveIngest(exchange, feedOptions, undefined, undefined, undefined, following)
  return ingest
}

type Following = NonNullable<ConstructorParameters<typeof LiveIngest>[5]>

const all = (symbols: readonly string[], count = 1) =>
  Promise.all(symbols.map((symbol) => exchange.untilSubscribed(symbol, count)))

test('symbols come and go on the connection that there is, and those that stay miss nothing', async () => {
  const live = await follow(['BTCUSDT', 'ETHUSDT'])
  await all(['BTCUSDT', 'ETHUSDT'])
  let traded = 0
  const trading = setInterval(() => {
    traded++
    exchange.trade('BTCUSDT')
    exchange.trade('ETHUSDT')
    exchange.trade('BNBUSDT')
  }, 10)
  await live.until(async () => (await live.ids('ETHUSDT')).length > 20)
  write(['BTCUSDT', 'BNBUSDT'])
  await all(['BNBUSDT'])
  await all(['ETHUSDT'], 0)
  const withoutEther = exchange.trades('ETHUSDT').length
  await live.until(async () => (await live.ids('BNBUSDT')).length > 20)
  // What is taken again goes on behind its newest trade in the log.
  write(['BTCUSDT', 'BNBUSDT', 'ETHUSDT'])
  await all(['ETHUSDT'])
  await live.until(async () => ((await live.ids('ETHUSDT')).at(-1) ?? 0) > withoutEther + 20)
  clearInterval(trading)
  for (const symbol of ['BTCUSDT', 'ETHUSDT', 'BNBUSDT']) await live.reached(symbol, traded)
  expect(await live.ids('BTCUSDT')).toStrictEqual(range(1, traded))
  expect(await live.ids('ETHUSDT')).toStrictEqual(range(1, traded))
  const ofNew = await live.ids('BNBUSDT')
  expect(ofNew).toStrictEqual(range(ofNew[0] ?? 0, traded))
  expect(exchange.connections).toHaveLength(1)
  expect((await live.stop()).counts).toMatchObject({ reconnects: 0, missing: 0 })
})

test('a hundred changes in a moment stay within what the exchange takes of one connection', async () => {
  const live = await follow(['BTCUSDT'], { symbols: ['BTCUSDT', ...names(100)] }, { limits: { messageGapMs: 210 } })
  await all(['BTCUSDT'])
  for (let count = 1; count <= 100; count++) {
    write(['BTCUSDT', ...names(count)])
    if (count % 10 === 0) await pause(30)
  }
  await all(names(100))
  exchange.trade('BTCUSDT')
  exchange.trade('A99USDT')
  await live.reached('BTCUSDT', 1)
  await live.reached('A99USDT', 1)
  expect(exchange.connections).toHaveLength(1)
}, 20_000)

test('more than one connection carries go over another one, which is closed when its last symbol goes', async () => {
  const live = await follow(
    ['BTCUSDT', 'ETHUSDT'],
    { limits: { streamsPerConnection: 6 } },
    { streamsPerConnection: 6 },
  )
  await all(['BTCUSDT', 'ETHUSDT'])
  expect(exchange.connections).toHaveLength(1)
  write(['BTCUSDT', 'ETHUSDT', 'BNBUSDT'])
  await all(['BNBUSDT'])
  expect(exchange.connections).toHaveLength(2)
  exchange.trade('BNBUSDT')
  await live.reached('BNBUSDT', 1)
  write(['BTCUSDT', 'ETHUSDT'])
  await all(['BNBUSDT'], 0)
  // Its place is taken by the next one, though the limit of streams was reached: what goes, goes first.
  write(['BTCUSDT', 'BNBUSDT'])
  await all(['BNBUSDT'])
  exchange.trade('BTCUSDT')
  await live.reached('BTCUSDT', 1)
  expect(exchange.connections).toHaveLength(2)
})

test('a symbol of the file that the exchange does not list is told, and the others go on', async () => {
  const live = await follow(['BTCUSDT'])
  await all(['BTCUSDT'])
  write(['BTCUSDT', 'BTCUSDX'])
  expect(await live.trouble(/BTCUSDX/)).toBe('not traded, says the exchange: BTCUSDX')
  expect(live.notices.join('\n')).toContain('does not list BTCUSDX (there are BTCUSDT)')
  exchange.trade('BTCUSDT')
  await live.reached('BTCUSDT', 1)
})

test('with a file of symbols quiet is proven as well: a symbol whose stream has stalled does not become late', async () => {
  const live = await follow(['BTCUSDT', 'ETHUSDT'])
  await all(['BTCUSDT', 'ETHUSDT'])
  const start = Date.UTC(2024, 7, 9)
  exchange.trade('BTCUSDT', { time: start })
  exchange.trade('ETHUSDT', { time: start })
  await live.reached('ETHUSDT', 1)
  await live.reached('BTCUSDT', 1)
  for (let step = 1; step <= 10; step++) {
    exchange.trade('BTCUSDT', { time: start + step * 1_000 })
    // Quiet by its own words, second by second.
    exchange.tick(start + step * 1_000)
    await live.reached('BTCUSDT', 1 + step)
    await pause(30)
  }
  await live.until(async () => (await heartbeats(live)).length > 0)
  exchange.faults.stalled.add('ethusdt@ticker')
  exchange.faults.stalled.add('ethusdt@kline_1m')
  await pause(300)
  const before = await heartbeats(live)
  for (let step = 11; step <= 20; step++) {
    exchange.trade('BTCUSDT', { time: start + step * 1_000 })
    await live.reached('BTCUSDT', 1 + step)
  }
  expect(await heartbeats(live)).toStrictEqual(before)
})

test('a partition whose only symbol is taken no more is told the time by the others', async () => {
  const live = await follow(['BTCUSDT', 'ETHUSDT'])
  await all(['BTCUSDT', 'ETHUSDT'])
  const start = Date.UTC(2024, 7, 9)
  exchange.trade('BTCUSDT', { time: start })
  exchange.trade('ETHUSDT', { time: start })
  await live.reached('ETHUSDT', 1)
  await live.reached('BTCUSDT', 1)
  write(['BTCUSDT'])
  await all(['ETHUSDT'], 0)
  for (let step = 1; step <= 10; step++) {
    exchange.trade('BTCUSDT', { time: start + step * 1_000 })
    exchange.tick(start + step * 1_000)
    await live.reached('BTCUSDT', 1 + step)
    await pause(30)
  }
  await live.until(async () => (await heartbeats(live)).some(({ time }) => time >= start + 5_000))
})

test('a shard takes its own of what the file brings', async () => {
  const live = await follow(
    ['BTCUSDT', 'ETHUSDT'],
    { symbols: ['BTCUSDT', 'ETHUSDT', ...names(20)] },
    { shard: { number: 1, of: 2 } },
  )
  await live.until(async () => true)
  write(['BTCUSDT', 'ETHUSDT', ...names(20)])
  while (names(20).every((symbol) => exchange.subscribers(symbol) === 0)) await pause(10)
  await pause(100)
  const taken = names(20).filter((symbol) => exchange.subscribers(symbol) > 0)
  expect(taken.length).toBeGreaterThan(0)
  expect(taken.length).toBeLessThan(20)
})

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `A${index}USDT`)
}

/** Those of the partition of ETHUSDT, which BTCUSDT is not in. */
async function heartbeats(live: LiveIngest): Promise<readonly { readonly partition: number; readonly time: number }[]> {
  const records = await logContents(live.log)
  const partition = records.find(({ key }) => key === 'ETHUSDT')?.partition
  const other = records.find(({ key }) => key === 'BTCUSDT')?.partition
  expect(partition).not.toBe(other)
  return records.flatMap((record) =>
    record.partition === partition && record.value?.startsWith('{"e":"heartbeat"') === true
      ? [{ partition: record.partition, time: record.timestamp }]
      : [],
  )
}
