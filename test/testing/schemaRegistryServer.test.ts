import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type SchemaRegistryServer, startSchemaRegistry } from '../../src/testing/schemaRegistryServer.ts'

let server: SchemaRegistryServer
beforeEach(async () => {
  server = await startSchemaRegistry()
})
afterEach(() => server.close())

async function ask(method: string, path: string, body?: unknown): Promise<{ status: number; json: unknown }> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, json: await response.json() }
}

const record = (...fields: object[]) => ({ schema: JSON.stringify({ type: 'record', name: 'R', fields }) })
const a = { name: 'a', type: 'int' }
const b = { name: 'b', type: 'int' }
const optional = { ...b, default: 0 }
const register = (subject: string, schema: object) => ask('POST', `/subjects/${subject}/versions`, schema)

describe('the schema registry of the test kit', () => {
  it('gives one id to one schema, wherever it is registered, and versions to subjects', async () => {
    expect(await register('one', record(a))).toEqual({ status: 200, json: { id: 1 } })
    expect(await register('one', record(a))).toEqual({ status: 200, json: { id: 1 } })
    expect(await register('two', record(a))).toEqual({ status: 200, json: { id: 1 } })
    expect(await register('one', record(a, optional))).toEqual({ status: 200, json: { id: 2 } })
    expect((await ask('GET', '/subjects')).json).toEqual(['one', 'two'])
    expect((await ask('GET', '/subjects/one/versions')).json).toEqual([1, 2])
    expect((await ask('GET', '/subjects/one/versions/latest')).json).toEqual({
      subject: 'one',
      version: 2,
      id: 2,
      ...record(a, optional),
    })
    expect((await ask('GET', '/schemas/ids/1')).json).toEqual(record(a))
    expect((await ask('POST', '/subjects/one', record(a))).json).toMatchObject({ version: 1, id: 1 })
  })

  it.each([
    ['GET', '/subjects/none/versions', 404, 40_401],
    ['GET', '/schemas/ids/9', 404, 40_403],
    ['GET', '/strange', 404, 404],
    ['POST', '/subjects/one/versions', 422, 42_201],
  ])('answers %s %s as the registry does', async (method, path, status, code) => {
    const answer = await ask(method, path, method === 'POST' ? { schema: '{"type":"nothing"}' } : undefined)
    expect(answer).toMatchObject({ status, json: { error_code: code } })
  })

  it.each<[string, ...[object, number][]]>([
    ['BACKWARD', [record(a, optional), 200], [record(a, optional, { name: 'c', type: 'int' }), 409]],
    ['FORWARD', [record(a, b), 200], [record(b), 409]],
    ['FULL', [record(a, optional), 200], [record(a, { name: 'c', type: 'int' }), 409]],
    ['NONE', [record(b), 200], [record({ ...b, type: 'string' }), 200]],
  ])('checks %s', async (compatibility, ...steps) => {
    expect((await ask('PUT', '/config', { compatibility })).status).toBe(200)
    await register('s', record(a))
    for (const [schema, status] of steps) {
      expect((await register('s', schema)).status).toBe(status)
    }
  })

  it('checks against all versions where the level is transitive', async () => {
    await ask('PUT', '/config/s', { compatibility: 'NONE' })
    await register('s', record({ ...b, type: 'string' }))
    await register('s', record())
    await ask('PUT', '/config/s', { compatibility: 'BACKWARD_TRANSITIVE' })
    expect((await register('s', record(optional))).status).toBe(409)
    await ask('PUT', '/config/s', { compatibility: 'BACKWARD' })
    expect((await ask('POST', '/compatibility/subjects/s/versions/1', record(optional))).json).toMatchObject({
      is_compatible: false,
    })
    expect((await register('s', record(optional))).status).toBe(200)
  })

  it('counts a symbol or a branch that gets lost as incompatible', async () => {
    await register('u', { schema: '["int", "string"]' })
    expect((await register('u', { schema: '"string"' })).status).toBe(409)
    await register('e', { schema: '{"type":"enum","name":"E","symbols":["A","B"]}' })
    expect((await register('e', { schema: '{"type":"enum","name":"E","symbols":["A"]}' })).status).toBe(409)
  })

  it('does what it is told to do wrong', async () => {
    await register('one', record(a))
    server.faults.status = 503
    expect((await ask('GET', '/schemas/ids/1')).status).toBe(503)
    server.faults.status = null
    server.faults.delayMs = 60
    const started = performance.now()
    expect((await ask('GET', '/schemas/ids/1')).status).toBe(200)
    expect(performance.now() - started).toBeGreaterThan(50)
    server.faults.isDown = true
    await expect(ask('GET', '/schemas/ids/1')).rejects.toThrow()
  })
})
