import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { confluentRegistry } from '../../../src/codecs/registry/confluentRegistry.ts'
import { ConfigurationError, RetryableError } from '../../../src/runtime/errors.ts'
import { type SchemaRegistryServer, startSchemaRegistry } from '../../../src/testing/schemaRegistryServer.ts'
import { oddServer } from '../../support/oddServer.ts'

const auth = { username: 'reader', password: 'hunter2-secret' }
const avro = (schema: unknown) => ({ type: 'AVRO' as const, schema: JSON.stringify(schema) })
const order = { type: 'record', name: 'Order', fields: [{ name: 'id', type: 'long' }] }

let server: SchemaRegistryServer
beforeEach(async () => {
  server = await startSchemaRegistry({ auth })
})
afterEach(() => server.close())

const registryOf = (over: object = {}) => confluentRegistry({ url: server.url, auth, ...over })

async function failure(work: Promise<unknown>): Promise<Error> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (reason: Error) => reason,
  )
  expect(JSON.stringify([error.message, String(error.cause)])).not.toMatch(/hunter2|cmVhZGVy/)
  return error
}

describe('confluentRegistry', () => {
  it('registers a schema, gives it by its id, and asks once', async () => {
    const registry = registryOf()
    const id = await registry.register('orders-value', avro(order))
    expect(await registry.register('orders-value', avro(order))).toBe(id)
    const asked = server.requests.length
    const [first, second] = await Promise.all([registry.schemaById(id), registry.schemaById(id)])
    expect(first).toEqual({ ...avro(order), references: [] })
    expect(second).toBe(first)
    expect(await registry.schemaById(id)).toBe(first)
    expect(server.requests.slice(asked)).toEqual([`GET /schemas/ids/${id}`])
  })

  it('carries schemas of other kinds', async () => {
    const registry = registryOf()
    const schema = 'syntax = "proto3"; message A {}'
    const id = await registry.register('a-value', { type: 'PROTOBUF', schema })
    expect(await registryOf().schemaById(id)).toEqual({ type: 'PROTOBUF', schema, references: [] })
  })

  it('brings the schemas that one refers to, the innermost first', async () => {
    const post = async (subject: string, schema: unknown, references: object[]) =>
      fetch(`${server.url}/subjects/${subject}/versions`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}` },
        body: JSON.stringify({ schema: JSON.stringify(schema), references }),
      }).then((response) => response.json() as Promise<{ id: number }>)
    const inner = { type: 'enum', name: 'x.Side', symbols: ['A'] }
    const middle = { type: 'record', name: 'x.Leg', fields: [{ name: 's', type: 'x.Side' }] }
    const outer = {
      type: 'record',
      name: 'x.Order',
      fields: [
        { name: 'l', type: 'x.Leg' },
        { name: 's', type: 'x.Side' },
      ],
    }
    await post('side', inner, [])
    await post('leg', middle, [{ name: 'x.Side', subject: 'side', version: 1 }])
    const { id } = await post('order', outer, [
      { name: 'x.Leg', subject: 'leg', version: 1 },
      { name: 'x.Side', subject: 'side', version: 1 },
    ])
    expect((await registryOf().schemaById(id))?.references).toEqual([inner, middle].map((one) => JSON.stringify(one)))
  })

  it('knows an id that is not there from a place that is no registry', async () => {
    expect(await registryOf().schemaById(77)).toBeNull()
    const astray = await failure(registryOf({ url: `${server.url}/elsewhere` }).schemaById(77))
    expect(astray).toBeInstanceOf(ConfigurationError)
    expect(astray.message).toContain('does not answer /schemas/ids/77 as a schema registry does')
  })

  it.each([500, 503, 429])('is to be tried again after a %d, and does not keep it', async (status) => {
    const registry = registryOf()
    const id = await registry.register('a', avro('int'))
    server.faults.status = status
    expect(await failure(registry.schemaById(id))).toBeInstanceOf(RetryableError)
    server.faults.status = null
    expect(await registry.schemaById(id)).toMatchObject({ schema: '"int"' })
  })

  it('is to be tried again where nobody answers, or not in time', async () => {
    const registry = registryOf({ timeoutMs: 50 })
    server.faults.isDown = true
    expect(await failure(registry.schemaById(1))).toBeInstanceOf(RetryableError)
    server.faults.isDown = false
    server.faults.delayMs = 5_000
    const late = await failure(registry.schemaById(1))
    expect(late).toBeInstanceOf(RetryableError)
    expect(late.message).toContain(`schema registry ${server.url} did not answer for /schemas/ids/1`)
  })

  it('is to be tried again where something else answers, or an answer never ends', async () => {
    for (const behaviour of ['silent', 'greets as a mail server', 'answers HTTP that never ends'] as const) {
      const url = `http://127.0.0.1:${await oddServer(behaviour)}`
      const error = await failure(registryOf({ url, timeoutMs: 200 }).schemaById(1))
      expect(error, behaviour).toBeInstanceOf(RetryableError)
      expect(error.message).toMatch(
        /did not answer for .*It is tried again; see whether it runs, and whether the url is/,
      )
    }
  })

  it('ends where the registry refuses: a password, a schema that does not fit, one that is none', async () => {
    const stranger = registryOf({ auth: { username: 'reader', password: 'hunter2-wrong' } })
    const refused = await failure(stranger.schemaById(1))
    expect(refused).toBeInstanceOf(ConfigurationError)
    expect(refused.message).toContain('401, look at auth')
    const registry = registryOf()
    await registry.register('orders-value', avro(order))
    const narrower = { ...order, fields: [...order.fields, { name: 'new', type: 'int' }] }
    const incompatible = await failure(registry.register('orders-value', avro(narrower)))
    expect(incompatible).toBeInstanceOf(ConfigurationError)
    expect(incompatible.message).toMatch(/409.*new is not in what was written/)
    expect((await failure(registry.register('b', avro({ type: 'record' })))).message).toContain('42201')
  })

  it.each([
    ['a url that is none', { url: 'localhost:8081' }],
    ['a url of another kind', { url: 'ftp://localhost' }],
    ['a url with a user', { url: 'http://reader:hunter2-secret@localhost' }],
    ['no time at all', { url: 'http://localhost', timeoutMs: 0 }],
  ])('refuses %s', (_, options) => {
    expect(() => confluentRegistry(options)).toThrow(ConfigurationError)
    expect(() => confluentRegistry(options)).not.toThrow('hunter2')
  })
})

describe('a server that is none of ours', () => {
  async function against(listener: RequestListener, check: (url: string) => Promise<void>): Promise<void> {
    const foreign = createServer(listener)
    await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve))
    try {
      await check(`http://127.0.0.1:${(foreign.address() as AddressInfo).port}`)
    } finally {
      foreign.closeAllConnections()
      foreign.close()
    }
  }

  it('is not read beyond 4 MiB', () =>
    against(
      (_, response) => {
        const timer = setInterval(() => response.write(Buffer.alloc(1 << 20, 0x20)), 1)
        response.on('close', () => clearInterval(timer))
      },
      async (url) => {
        const error = await failure(confluentRegistry({ url }).schemaById(1))
        expect(error.message).toContain('more than 4194304 bytes')
      },
    ))

  it('gets no password by a redirect', async () => {
    const seen: string[] = []
    await against(
      (request, response) => {
        seen.push(request.url ?? '')
        response.writeHead(302, { location: '/stolen' }).end()
      },
      async (url) => {
        expect(await failure(confluentRegistry({ url, auth }).schemaById(1))).toBeInstanceOf(ConfigurationError)
      },
    )
    expect(seen).toEqual(['/schemas/ids/1'])
  })

  it.each(['<html>', '{}', '{"schema": 1}', '{"schema": "x", "schemaType": "YAML"}'])(
    'says so where it answers %s',
    (body) =>
      against(
        (_, response) => void response.end(body),
        async (url) => {
          const error = await failure(confluentRegistry({ url }).schemaById(1))
          expect(error.message).toContain('as a schema registry does')
        },
      ),
  )
})
