import { afterEach, expect, test } from 'vitest'
import { ExchangeApi, StoppedAsking } from '../../src/backfill/exchangeApi.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { ConfigurationError, RetryableError } from '../../src/runtime/errors.ts'
import { type FakeRest, type FakeRestOptions, fakeRest } from './fakeRest.ts'

const now = Date.UTC(2024, 7, 9, 12, 30, 45)
const open: FakeRest[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})

interface Rig {
  readonly api: ExchangeApi
  readonly exchange: FakeRest
  /** How long each wait was, ms. */
  readonly waits: number[]
  readonly notices: string[]
  readonly stop: AbortController
}

async function rig(options: Partial<FakeRestOptions>): Promise<Rig> {
  const exchange = await fakeRest({ now, ...options })
  open.push(exchange)
  const waits: number[] = []
  const notices: string[] = []
  const clock: Clock = {
    // Whoever looks at it would measure waits with a clock that people set.
    now: () => {
      throw new Error('nobody asks what time it is here')
    },
    sleep: async (ms) => {
      waits.push(ms)
    },
  }
  const stop = new AbortController()
  const api = new ExchangeApi({
    restUrl: exchange.url,
    weightPerMinute: 1_200,
    clock,
    timeoutMs: 5_000,
    signal: stop.signal,
    onNotice: (line) => notices.push(line),
  })
  return { api, exchange, waits, notices, stop }
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
  await expect(ask(nobody.api)).rejects.toThrow(/^http:.*no answer \(.*\), 3 times/)
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
