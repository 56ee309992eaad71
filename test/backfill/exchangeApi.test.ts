import { afterEach, expect, test } from 'vitest'
import { type ExchangeApi, StoppedAsking } from '../../src/backfill/exchangeApi.ts'
import { ConfigurationError, RetryableError } from '../../src/runtime/errors.ts'
import { feedWeightShare, historyWeightShare, limitsOfAddress } from '../../src/sources/live/addressLimits.ts'
import { RestClient } from '../../src/sources/live/restClient.ts'
import { apiFor, SleepClock } from './apiFor.ts'
import { type FakeRest, type FakeRestOptions, fakeRest } from './fakeRest.ts'

const now = Date.UTC(2024, 7, 9, 12, 30, 45)
const open: FakeRest[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})

interface Rig {
  readonly api: ExchangeApi
  readonly exchange: FakeRest
  readonly clock: SleepClock
  /** How long each wait was, ms. */
  readonly waits: number[]
  readonly notices: string[]
  readonly stop: AbortController
}

async function rig(options: Partial<FakeRestOptions>): Promise<Rig> {
  const exchange = await fakeRest({ now, ...options })
  open.push(exchange)
  const notices: string[] = []
  const clock = new SleepClock()
  const stop = new AbortController()
  const api = apiFor(exchange.url, { clock, signal: stop.signal, onNotice: (line) => notices.push(line) })
  return { api, exchange, clock, waits: clock.waits, notices, stop }
}

const ask = (api: ExchangeApi) => api.get('/api/v3/time', {})
const once = (status: number, headers: Record<string, string> = {}, times = 1) => ({
  fault: (request: number) => (request <= times ? { status, headers } : null),
})

test('an answer is its JSON, and tells what is used', async () => {
  const { api, waits } = await rig({ usedWeight: () => 42 })
  expect(await ask(api)).toStrictEqual({ body: { serverTime: now } })
  expect([api.usedWeight, waits]).toStrictEqual([42, []])
})

test("half of the minute's weight is for others: then it waits for the next minute of the exchange's clock", async () => {
  const { api, waits, exchange } = await rig({
    usedWeight: (request) => (request === 1 ? 599 : request === 2 ? 600 : 2),
  })
  await ask(api)
  await ask(api)
  expect(waits).toStrictEqual([])
  await ask(api)
  // It was 45 s past at the exchange, whose clock is told in whole seconds.
  expect(waits).toStrictEqual([16_000])
  await ask(api)
  expect([waits.length, exchange.requests.length]).toStrictEqual([1, 4])
})

test('429 and 418 are obeyed for as long as they say, and nothing is asked meanwhile', async () => {
  for (const [status, headers, ms] of [
    [429, { 'retry-after': '7' }, 7_000],
    [418, { 'retry-after': '120' }, 120_000],
    [429, {}, 60_000],
    [418, {}, 120_000],
    [429, { 'retry-after': 'soon' }, 60_000],
  ] as const) {
    const { api, waits, exchange, notices } = await rig(once(status, headers))
    expect(await ask(api)).toStrictEqual({ body: { serverTime: now } })
    expect([waits, exchange.requests.length], String(status)).toStrictEqual([[ms], 2])
    expect(notices[0]).toMatch(/waiting \d+ s/)
  }
})

test('a long ban is not waited for: it says until when', async () => {
  const { api, waits, exchange } = await rig(once(418, { 'retry-after': '7200' }))
  await expect(ask(api)).rejects.toThrow('for 120 minutes. Start again after that')
  expect([waits, exchange.requests.length]).toStrictEqual([[], 1])
})

test('a firewall is asked again only after minutes, and not for ever', async () => {
  const { api, waits, exchange } = await rig(once(403, {}, 99))
  await expect(ask(api)).rejects.toThrow('the firewall of 127.0.0.1')
  expect(waits.every((ms) => ms >= 60_000)).toBe(true)
  expect(exchange.requests).toHaveLength(3)
})

test('what does not answer is asked again with growing waits, and then given up', async () => {
  const { api, waits, exchange } = await rig({
    fault: (request) => (request >= 2 && request <= 4 ? { status: 0, cut: true } : null),
  })
  await ask(api)
  expect(await ask(api)).toStrictEqual({ body: { serverTime: now } })
  expect([waits, exchange.requests.length]).toStrictEqual([[1_000, 2_000, 4_000], 5])
  const nobody = await rig({ fault: () => ({ status: 0, cut: true }) })
  await expect(ask(nobody.api)).rejects.toThrow(/^127.*did not answer: .*, 3 times/)
  const dead = await rig(once(502, {}, 99))
  await expect(ask(dead.api)).rejects.toThrow(RetryableError)
  expect(dead.waits).toStrictEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
})

test('a refusal is an answer; a host that will never serve this is a mistake', async () => {
  const refused = await rig({ fault: () => ({ status: 400, body: '{"code":-1121,"msg":"Invalid symbol."}' }) })
  expect(await ask(refused.api)).toStrictEqual({ refused: { status: 400, code: -1121, message: 'Invalid symbol.' } })
  const blocked = await rig(once(451))
  await expect(ask(blocked.api)).rejects.toThrow('does not serve this location')
  const foreign = await rig({ fault: () => ({ status: 200, body: '<html>' }) })
  await expect(ask(foreign.api)).rejects.toThrow(ConfigurationError)
  await expect(foreign.api.get('/api/v3/time', {})).rejects.toThrow('is no JSON but begins with')
})

test('a stop ends a wait', async () => {
  const { api, stop } = await rig(once(429, { 'retry-after': '7' }, 99))
  const asking = ask(api)
  stop.abort()
  await expect(asking).rejects.toThrow(StoppedAsking)
})

test('what the exchange said to one is known to all who ask there: weight, waits and closed hosts', async () => {
  const weighed = await rig({ usedWeight: () => 900 })
  const other = apiFor(weighed.exchange.url, { clock: weighed.clock })
  await ask(other)
  expect([weighed.api.usedWeight, other.usedWeight]).toStrictEqual([900, 900])
  await ask(weighed.api)
  // The other one has asked once; this one waits for the next minute first.
  expect([weighed.waits, weighed.exchange.requests.length]).toStrictEqual([[16_000], 2])
  const banned = await rig(once(418, { 'retry-after': '7200' }))
  await expect(ask(banned.api)).rejects.toThrow('for 120 minutes')
  // As after a re-open: nobody asks again.
  await expect(ask(apiFor(banned.exchange.url, { clock: banned.clock }))).rejects.toThrow('418')
  expect(banned.exchange.requests).toHaveLength(1)
})

test('a feed that would still ask leaves room for no history, and history leaves room for the feed', async () => {
  const { exchange, clock } = await rig({ usedWeight: () => 800 })
  const limits = limitsOfAddress(clock, exchange.url, 1_200)
  const client = new RestClient({ clock, timeoutMs: 5_000, limits, isSimulated: null })
  const signal = new AbortController().signal
  const url = `${exchange.url}/api/v3/time`
  expect(await client.ask(url, { share: feedWeightShare, signal })).toMatchObject({ status: 200 })
  expect(await client.ask(url, { share: historyWeightShare, signal })).toMatchObject({
    by: 'limit',
    refused: 'the request weight of this minute is used up (800 of 1200, of which 50 % are ours)',
  })
  expect(await client.ask(url, { share: feedWeightShare, signal })).toMatchObject({ status: 200 })
  limits.limitWeight(900)
  expect(await client.ask(url, { share: feedWeightShare, signal })).toMatchObject({ by: 'limit' })
})
