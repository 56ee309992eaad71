import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Context,
  type ContextManager,
  context,
  type HrTime,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { map } from 'rxjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Spans } from '../../src/host/spans.ts'
import {
  defineFeed,
  definePipeline,
  jsonCodec,
  runPipeline,
  table,
  toPostgres,
  topic,
  toWebhook,
} from '../../src/index.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

interface Told {
  readonly name: string
  readonly options: SpanOptions
  readonly parent: string | undefined
  attributes: Record<string, unknown>
  status: SpanStatusCode | undefined
  isOver: boolean
}

const told: Told[] = []

/** As small as an SDK can be. */
function register(): void {
  const storage = new AsyncLocalStorage<Context>()
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (at, act, self, ...args) => storage.run(at, () => act.call(self as never, ...args)),
    bind: (_, target) => target,
    enable: () => manager,
    disable: () => manager,
  }
  context.setGlobalContextManager(manager)
  const startSpan = (name: string, options: SpanOptions = {}, at = context.active()) => {
    const parent = trace.getSpan(at) as unknown as { told?: Told } | undefined
    const one: Told = {
      name,
      options,
      parent: parent?.told?.name,
      attributes: { ...options.attributes },
      status: undefined,
      isOver: false,
    }
    told.push(one)
    const span = {
      told: one,
      setAttribute: (key: string, value: unknown) => {
        one.attributes[key] = value
        return span
      },
      setAttributes: (more: Record<string, unknown>) => {
        Object.assign(one.attributes, more)
        return span
      },
      setStatus: ({ code }: { code: SpanStatusCode }) => {
        one.status = code
        return span
      },
      end: (_?: HrTime) => {
        one.isOver = true
      },
      spanContext: () => ({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 }),
    }
    return span as unknown as Span
  }
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan: () => undefined as never }) })
}

let db: TestDatabase
const folder = mkdtempSync(join(tmpdir(), 'millrace-spans-'))
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(async () => {
  trace.disable()
  context.disable()
  await db.close()
  rmSync(folder, { recursive: true, force: true })
})

const order = z.object({ id: z.number() })
const orders = topic('traced.orders', { value: jsonCodec(order) })
const rows = table('traced_order', { columns: { id: 'integer' } })

async function run(statuses: number[]): Promise<void> {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(statuses.shift() ?? 204).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret-path`
  const pipeline = definePipeline({
    name: `traced-${statuses.length}`,
    inputs: { orders },
    build: ({ orders }) => ({
      rows: toPostgres(orders.pipe(map(({ id }) => ({ id }))), rows),
      pager: toWebhook(orders.pipe(map(({ id }) => ({ key: String(id), value: { id } }))), { url }),
    }),
  })
  const feed = defineFeed({
    name: `orders-${statuses.length}`,
    topic: orders,
    async *read(position) {
      for (let id = Number(position ?? 0); id < 20; id++) yield { values: [{ id }], position: String(id + 1) }
    },
  })
  const { host, port, user, password, database } = db.connection
  await runPipeline(pipeline, {
    dataDir: folder,
    databaseUrl: `postgres://${user}:${password}@${host}:${port}/${database}?sslmode=disable`,
    schema: db.schema,
    archive: 'none',
    partitions: 1,
    feed,
    untilEnd: true,
  })
  server.close()
}

describe('spans', () => {
  it('are made by nobody where no SDK is registered', async () => {
    expect(await Spans.find()).toBeNull()
    await run([])
    expect(told).toEqual([])
  }, 60_000)

  it('are missed by somebody whose API is another copy, who is told', async () => {
    const registry = Symbol.for('opentelemetry.js.api.1')
    const warned = once(process, 'warning')
    Reflect.set(globalThis, registry, { version: '1.0.0', trace: {} })
    try {
      expect(await Spans.find()).toBeNull()
    } finally {
      Reflect.deleteProperty(globalThis, registry)
    }
    expect(String((await warned)[0])).toContain('npm ls @opentelemetry/api')
  })

  it('tell of fetches, work and its commit, appends and sends, by the names of the conventions', async () => {
    register()
    await run([503])
    const named = (name: string) => told.filter((one) => one.name === name)
    const [fetch] = named('poll traced.orders')
    expect(fetch?.attributes).toMatchObject({
      'messaging.system': 'millrace',
      'messaging.destination.name': 'traced.orders',
      'messaging.operation.type': 'receive',
      'messaging.destination.partition.id': '0',
    })
    const work = named('process traced.orders')
    const count = (spans: readonly Told[]) =>
      spans.reduce((sum, { attributes }) => sum + Number(attributes['messaging.batch.message_count']), 0)
    expect(count(named('send traced.orders'))).toBe(20)
    expect(
      Math.max(...work.map(({ attributes }) => Number(attributes['millrace.next_offset']))),
    ).toBeGreaterThanOrEqual(20)
    expect(named('COMMIT')).toHaveLength(work.length)
    expect(named('COMMIT').every(({ parent }) => parent === 'process traced.orders')).toBe(true)
    const sends = named('send pager')
    expect(sends[0]?.status).toBe(SpanStatusCode.ERROR)
    expect(sends[0]?.attributes['error.type']).toBe('MILLRACE_RETRYABLE')
    expect(sends.filter(({ status }) => status === undefined).length).toBeGreaterThan(0)
    expect(told.every(({ isOver }) => isOver)).toBe(true)
    expect(JSON.stringify(told)).not.toContain('secret-path')
  }, 60_000)
})
