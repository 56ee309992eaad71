import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { NEVER, of } from 'rxjs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type AlertEvent, alertIdentity } from '../../../src/market/alertEvent.ts'
import { ConfigurationError, RefusedMessageError, RetryableError } from '../../../src/runtime/errors.ts'
import type { Delivery, Destination } from '../../../src/runtime/log/destination.ts'
import { AlertDestination } from '../../../src/sinks/alerts/alertDestination.ts'
import { type AlertChannel, toAlerts } from '../../../src/sinks/toAlerts.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

const never = new AbortController().signal
const event = (n: number, over: Partial<AlertEvent> = {}): AlertEvent => ({
  rule: 'high',
  kind: 'price',
  severity: 'page',
  market: 'spot',
  symbol: 'BTCUSDT',
  interval: '1m',
  openTime: n * 60_000,
  transition: 'firing',
  corrects: null,
  revision: 1,
  at: Date.now(),
  value: '101',
  threshold: '100',
  muted: 0,
  isComplete: true,
  text: `FIRING high ${n} <!channel> @everyone`,
  ...over,
})

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: { readonly [name: string]: unknown }
}

describe('a channel of alerts', () => {
  let server: Server
  let received: Received[]
  let answer: (response: ServerResponse, one: Received) => void
  let url: string
  beforeEach(async () => {
    received = []
    answer = (response) => response.end('ok')
    server = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const one = { headers: request.headers, body: JSON.parse(Buffer.concat(parts).toString()) as Received['body'] }
        received.push(one)
        answer(response, one)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/s3cr3t`
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  const outletOf = (over: Partial<AlertChannel> = {}) => toAlerts(NEVER, { kind: 'webhook', url, ...over })
  const open = (over: Partial<AlertChannel> = {}): Destination => {
    const { to } = outletOf(over)
    if (to.kind !== 'destination') throw new Error('not a destination')
    return to.open()
  }
  const delivery = (one: AlertEvent): Delivery => ({
    ...outletOf().encode(one as never),
    id: `p/t/0/a/${one.openTime}`,
  })
  const send = (destination: Destination, ...events: AlertEvent[]) =>
    destination.send(events.map(delivery), events.length, never)

  it('gets each alert under its identity, which is stored with it', async () => {
    const one = event(1)
    expect(outletOf().encode(one as never)).toMatchObject({ identity: alertIdentity(one), time: one.at, key: null })
    await send(open({ headers: { authorization: 'Bearer x' } }), one)
    expect(received).toMatchObject([
      {
        headers: { 'idempotency-key': 'high/spot/BTCUSDT/1m/60000/firing/1', authorization: 'Bearer x' },
        body: { id: 'high/spot/BTCUSDT/1m/60000/firing/1', ...one },
      },
    ])
  })

  it('gets those that are old in one message, and of fresh ones that come all at once', async () => {
    const destination = open({ maxAge: '1m' })
    const old = [event(1, { at: Date.now() - 120_000 }), event(2, { at: Date.now() - 180_000 })]
    await send(destination, ...old, event(3))
    expect(received.map(({ body }) => [body.digest, body.count])).toEqual([
      ['old', 2],
      [undefined, undefined],
    ])
    expect(received[0]?.body).toMatchObject({ alerts: old.map((one) => ({ id: alertIdentity(one) })) })
    await send(destination, ...[4, 5, 6, 7, 8, 9].map((n) => event(n)))
    expect(received[2]?.body).toMatchObject({ digest: 'many', count: 6 })
    expect(received).toHaveLength(3)
    expect(received[2]?.headers['idempotency-key']).toMatch(/^digest\/[0-9a-f]{32}$/)
  })

  it('is not told again what it has taken, where a later one of the same call has failed', async () => {
    const destination = open()
    answer = (response, { body }) => response.writeHead(body.openTime === 120_000 ? 503 : 200).end()
    await expect(send(destination, event(1), event(2), event(3))).rejects.toBeInstanceOf(RetryableError)
    answer = (response) => response.end()
    await send(destination, event(1), event(2), event(3))
    expect(received.map(({ body }) => body.openTime)).toEqual([60_000, 120_000, 120_000, 180_000])
  })

  it('that refuses one is told the others', async () => {
    const destination = open()
    answer = (response, { body }) => response.writeHead(body.openTime === 120_000 ? 400 : 200).end()
    await expect(send(destination, event(1), event(2))).rejects.toBeInstanceOf(RefusedMessageError)
    await send(destination, event(1))
    await send(destination, event(3))
    expect(received.map(({ body }) => body.openTime)).toEqual([60_000, 120_000, 180_000])
  })

  it('of Slack or Discord gets text in which nobody is called', async () => {
    await send(open({ kind: 'slack' }), event(1))
    await send(open({ kind: 'discord' }), event(2))
    expect(received.map(({ body }) => body)).toEqual([
      { text: 'FIRING high 1 &lt;!channel&gt; @everyone' },
      { content: 'FIRING high 2 <!channel> @everyone', allowed_mentions: { parse: [] } },
    ])
  })

  it('gets what it is for', () => {
    const told: string[] = []
    const all = of(event(1), event(2, { severity: 'info' }), event(3, { rule: 'low' }))
    const { values } = toAlerts(all, { kind: 'webhook', url, severities: ['page'], rules: ['high'] })
    values.subscribe((one) => told.push((one as AlertEvent).text))
    expect(told).toEqual([event(1).text])
  })

  it('is not told what is silenced', async () => {
    await send(open({ isSilenced: ({ symbol }) => symbol === 'BTCUSDT' }), event(1), event(2, { symbol: 'ETHUSDT' }))
    expect(received.map(({ body }) => body.symbol)).toEqual(['ETHUSDT'])
  })

  it('is told no faster than it takes', async () => {
    const clock = new VirtualClock()
    const times: number[] = []
    const receiver = { everyMs: 1_000, one: async () => void times.push(clock.now()), digest: async () => undefined }
    const destination = new AlertDestination(receiver, { maxAgeMs: 1e15, isSilenced: () => false }, clock)
    const sending = send(destination, event(1), event(2), event(3))
    await clock.advance(5_000)
    await sending
    const [first = 0] = times
    expect(times.map((time) => time - first)).toEqual([0, 1_000, 2_000])
  })

  it('of kind log writes a line of JSON', async () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const { to } = toAlerts(NEVER, { kind: 'log' })
    if (to.kind !== 'destination') throw new Error('not a destination')
    await send(to.open(), event(1))
    const line = JSON.parse(String(write.mock.calls[0]?.[0])) as object
    write.mockRestore()
    expect(line).toMatchObject({ level: 'warn', code: 'ALERT', id: alertIdentity(event(1)), message: event(1).text })
  })

  it.each([
    [{ kind: 'webhook' }, /needs a url/],
    [{ kind: 'log', url: 'http://x' }, /has no url/],
    [{ kind: 'slack', url: 'ftp://x' }, /must be https/],
    [{ kind: 'slack', url: 'https://x', maxAge: -1 }, /maxAge/],
    [{ kind: 'pigeon' }, /kind must be/],
  ])('cannot be %o', (channel, message) => {
    const make = () => toAlerts(NEVER, channel as AlertChannel)
    expect(make).toThrow(ConfigurationError)
    expect(make).toThrow(message)
  })
})
