import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { NEVER } from 'rxjs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigurationError, RefusedMessageError, RetryableError } from '../../../src/runtime/errors.ts'
import type { Delivery, Destination } from '../../../src/runtime/log/destination.ts'
import { withdrawn } from '../../../src/runtime/withdrawn.ts'
import { toWebhook, type Webhook } from '../../../src/sinks/toWebhook.ts'
import { oddServer } from '../../support/oddServer.ts'

interface Received {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const secret = 'Bearer s3cr3t'
const never = new AbortController().signal

describe('a webhook', () => {
  let server: Server
  let received: Received[]
  let answer: (response: ServerResponse, request: Received) => void
  let url: string
  beforeEach(async () => {
    received = []
    answer = (response) => response.end('{"ok":true}')
    server = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const { method, url, headers } = request
        const one = { method, path: url, headers, body: Buffer.concat(parts).toString() }
        received.push(one)
        answer(response, one)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks?token=s3cr3t`
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  const outletOf = <T>(over: Partial<Webhook<T>> = {}) => toWebhook<T>(NEVER, { url, ...over })
  const open = <T>(over: Partial<Webhook<T>> = {}): Destination => {
    const { to } = outletOf(over)
    if (to.kind !== 'destination') throw new Error('not a destination')
    return to.open()
  }
  const delivery = (sequence: number, body: unknown): Delivery => ({
    time: 0,
    key: null,
    value: Buffer.from(JSON.stringify(body)),
    id: `p/t/0/alerts/${sequence}`,
  })
  const failing = async (destination: Destination, ...messages: Delivery[]): Promise<Error> => {
    const error: unknown = await destination.send(messages, 1, never).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Error)
    const { message, cause } = error as Error
    expect(`${message} ${String(cause)} ${JSON.stringify(error)}`).not.toMatch(/s3cr3t|hooks/)
    return error as Error
  }

  it('gets JSON of each message, one a request, with an id to tell repeats by', async () => {
    const destination = open({ headers: { authorization: secret, 'x-tenant': '7' } })
    expect(await destination.claim('p/t/0/alerts')).toBeNull()
    expect(destination.maxMessages).toBe(1)
    await destination.send([delivery(1, { celsius: 31 }), delivery(2, 'hot ☀')], 2, never)
    expect(received).toMatchObject([
      {
        method: 'POST',
        path: '/hooks?token=s3cr3t',
        body: '{"celsius":31}',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': 'p/t/0/alerts/1',
          authorization: secret,
          'x-tenant': '7',
        },
      },
      { body: '"hot ☀"', headers: { 'idempotency-key': 'p/t/0/alerts/2' } },
    ])
  })

  it('is told what was taken back, and of what has no body nothing', () => {
    const outlet = outletOf<{ readonly celsius?: number }>({ body: ({ celsius }) => celsius })
    const bodyOf = (value: unknown) => String(outlet.encode(value as never).value)
    expect(bodyOf({ celsius: 31 })).toBe('31')
    expect(bodyOf(withdrawn({ celsius: 31 }))).toBe('{"withdrawn":31}')
    expect(() => bodyOf(withdrawn({}))).toThrow(/nothing that JSON can hold/)
  })

  it('gets several in one request where it asks for it, each with its id', async () => {
    const destination = open({ maxBatch: 3, method: 'PUT', headers: { 'Content-Type': 'application/x-batch' } })
    expect(destination.maxMessages).toBe(3)
    await destination.send([delivery(1, { a: 1 }), delivery(2, null)], 2, never)
    expect(received).toMatchObject([{ method: 'PUT', headers: { 'content-type': 'application/x-batch' } }])
    expect(JSON.parse(received[0]!.body)).toEqual([
      { id: 'p/t/0/alerts/1', value: { a: 1 } },
      { id: 'p/t/0/alerts/2', value: null },
    ])
    expect(received[0]?.headers).not.toHaveProperty('idempotency-key')
  })

  it.each([500, 503, 408, 425, 429])('that answers %i is tried again', async (status) => {
    answer = (response) => response.writeHead(status).end('busy')
    const error = await failing(open(), delivery(1, 1))
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.message).toMatch(new RegExp(`^POST to 127.0.0.1:\\d+ was answered with ${status}: busy$`))
    expect(error).not.toHaveProperty('retryAfterMs')
  })

  it.each([
    ['seconds', '7', 7_000],
    ['a date', new Date(Date.now() + 60_000).toUTCString(), 60_000],
    ['nonsense', 'soon', undefined],
  ])('is tried again after the time that it asks for, in %s', async (_name, text, ms) => {
    answer = (response) => response.writeHead(429, { 'retry-after': text }).end()
    const { retryAfterMs } = (await failing(open(), delivery(1, 1))) as RetryableError
    if (ms === undefined) expect(retryAfterMs).toBeUndefined()
    else expect(Math.abs((retryAfterMs as number) - ms)).toBeLessThan(3_000)
  })

  it.each([400, 401, 404, 410, 422])(
    'that answers %i refuses the message, and says why in few words',
    async (status) => {
      answer = (response) => response.writeHead(status).end(`{"why":\n"no\u0007 such room"}${'x'.repeat(500_000)}`)
      const error = await failing(open(), delivery(4, 1))
      expect(error).toBeInstanceOf(RefusedMessageError)
      expect(error).toMatchObject({ id: 'p/t/0/alerts/4' })
      expect(error.message).toContain(`was answered with ${status}: {"why": "no such room"}xxx`)
      expect(error.message.length).toBeLessThan(300)
    },
  )

  it('refuses a batch without saying which of it', async () => {
    answer = (response) => response.writeHead(422).end()
    const error = await failing(open({ maxBatch: 10 }), delivery(1, 1), delivery(2, 1))
    expect(error).toBeInstanceOf(RefusedMessageError)
    expect(error).not.toHaveProperty('id')
  })

  it('is not followed elsewhere', async () => {
    answer = (response) => response.writeHead(307, { location: `${url}&again` }).end()
    const error = await failing(open(), delivery(1, 1))
    expect(error).toBeInstanceOf(RefusedMessageError)
    expect(error.message).toMatch(/307.*redirects are not followed/)
    expect(received).toHaveLength(1)
  })

  it('that is something else is tried again, and told so', async () => {
    const port = await oddServer('greets as a mail server')
    const error = await failing(open({ url: `http://127.0.0.1:${port}/` }), delivery(1, 1))
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.message).toContain('was not answered: what answers there does not speak HTTP')
    const endless = await oddServer('answers HTTP that never ends')
    const late = await failing(open({ url: `http://127.0.0.1:${endless}/`, timeoutMs: 200 }), delivery(1, 1))
    expect(late.message).toContain('not within 200 ms')
  })

  it('that does not answer in time, or not at all, is tried again', async () => {
    answer = () => undefined
    const late = await failing(open({ timeoutMs: 50 }), delivery(1, 1))
    expect(late).toBeInstanceOf(RetryableError)
    expect(late.message).toMatch(/was not answered: not within 50 ms/)
    answer = (response) => response.destroy()
    expect(await failing(open(), delivery(1, 1))).toBeInstanceOf(RetryableError)
    answer = (response) => {
      response.writeHead(200).write('half')
      setTimeout(() => response.destroy(), 20)
    }
    expect(await failing(open(), delivery(1, 1))).toBeInstanceOf(RetryableError)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    const gone = await failing(open(), delivery(1, 1))
    expect(gone).toBeInstanceOf(RetryableError)
    expect(gone.message).toMatch(/ECONNREFUSED/)
  })

  it('is let go of when the process has to end', async () => {
    answer = () => undefined
    const stop = new AbortController()
    const sending = open().send([delivery(1, 1)], 1, stop.signal)
    setTimeout(() => stop.abort(), 50)
    await expect(sending).rejects.toBeInstanceOf(RetryableError)
  })

  it('gets an id with characters that a header cannot carry, escaped', async () => {
    await open().send([{ ...delivery(1, 1), id: 'p/t/0/héiß 1/1' }], 1, never)
    expect(received[0]?.headers['idempotency-key']).toBe('p/t/0/h%C3%A9i%C3%9F%201/1')
  })

  it('sends what the body makes of a value, and refuses what JSON cannot hold', () => {
    const text = (outlet: { encode: (value: never) => { value: Uint8Array | null } }, value: unknown) =>
      Buffer.from(outlet.encode(value as never).value ?? []).toString()
    expect(text(outletOf(), { a: [1] })).toBe('{"a":[1]}')
    expect(text(outletOf<number>({ body: (value) => ({ celsius: value }) }), 31)).toBe('{"celsius":31}')
    expect(() => text(outletOf(), undefined)).toThrow(/nothing that JSON can hold/)
    expect(() => text(outletOf(), 1n)).toThrow(TypeError)
  })

  it.each<[string, Partial<Webhook<unknown>>]>([
    ['no address', { url: 'hooks' }],
    ['another protocol', { url: 'ftp://127.0.0.1/s3cr3t' }],
    ['user and password', { url: 'http://me:s3cr3t@127.0.0.1/' }],
    ['a method', { method: 'GET' as 'POST' }],
    ['no time at all', { timeoutMs: 0 }],
    ['batches of nothing', { maxBatch: 0 }],
    ['a header of ours', { headers: { 'Idempotency-Key': 's3cr3t' } }],
    ['a header that HTTP cannot carry', { headers: { authorization: 's3cr3t\n' + 'x: y' } }],
  ])('is refused with %s, without a secret', (_name, over) => {
    let error: unknown
    try {
      outletOf(over)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(ConfigurationError)
    expect(String((error as Error).message)).not.toContain('s3cr3t')
  })
})
