import { map } from 'rxjs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { avroCodec } from '../../../src/codecs/avro/avroCodec.ts'
import { confluentRegistry } from '../../../src/codecs/registry/confluentRegistry.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { testPipeline } from '../../../src/testing/kit/testPipeline.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { type SchemaRegistryServer, startSchemaRegistry } from '../../../src/testing/schemaRegistryServer.ts'
import { framed } from './avroFrames.ts'

const record = (...fields: object[]) => ({ type: 'record', name: 'Order', fields })
const first = record({ name: 'id', type: 'int' }, { name: 'old', type: 'string' })
const second = record({ name: 'sum', type: 'double' }, { name: 'id', type: 'long' })
const wanted = record({ name: 'id', type: 'long' }, { name: 'sum', type: 'double', default: 0 })

let server: SchemaRegistryServer
beforeEach(async () => {
  server = await startSchemaRegistry()
})
afterEach(() => server.close())

/** Orders as they are wanted, into a table. */
function ordersPipeline() {
  const registry = confluentRegistry({ url: server.url, timeoutMs: 2_000 })
  const codec = avroCodec({ registry, schema: wanted, zod: z.object({ id: z.int(), sum: z.number() }) })
  return definePipeline({
    name: 'orders',
    inputs: { orders: { topic: 'orders', codec } },
    build: ({ orders }) => ({
      orders: toPostgres(orders.pipe(map(({ id, sum }) => ({ id, sum }))), {
        mode: 'append',
        name: 'orders',
        columns: [
          { name: 'id', type: 'integer', of: (row) => row.id },
          { name: 'sum', type: 'numeric', of: (row) => String(row.sum) },
        ],
      }),
    }),
  })
}

/** What a worker makes of a topic whose records were written by two versions of a schema, and one by a schema that nobody knows. */
async function run(source: MemoryLog, whileItRuns: () => Promise<void>) {
  const pipeline = ordersPipeline()
  const store = new MemoryCheckpointStore()
  const worker = new Worker({ pipeline, source, store, archive: null, clock: systemClock })
  worker.stop('drain')
  const done = worker.run()
  await whileItRuns()
  await done
  return { rows: store.rows('orders'), letters: store.deadLetters() }
}

describe('a pipeline of Avro with a schema registry', () => {
  it('is tested by the kit once the schemas of its records are there', async () => {
    const old = avroCodec({ registry: confluentRegistry({ url: server.url }), schema: first })
    await old.register('orders-value')
    const records = [1, 2].map((id) => ({ value: old.encode({ id, old: 'x' }) }))
    const run = testPipeline(ordersPipeline(), { crashAt: [1] })
    expect(() => run.push('orders', ...records)).toThrow('prepare')
    const prepared = testPipeline(ordersPipeline(), { crashAt: [1] })
    await prepared.prepare('orders', ...records)
    prepared.push('orders', ...records)
    expect(prepared.rows('orders')).toEqual([
      { id: 1, sum: 0 },
      { id: 2, sum: 0 },
    ])
    prepared.finish()
  })

  it('waits for a registry that is down at first, reads what two versions wrote, and sets aside what no schema is known of', async () => {
    const writer = confluentRegistry({ url: server.url })
    await fetch(`${server.url}/config`, { method: 'PUT', body: '{"compatibility":"NONE"}' })
    const old = avroCodec({ registry: writer, schema: first })
    const now = avroCodec({ registry: writer, schema: second })
    await old.register('orders-value')
    await now.register('orders-value')
    const source = new MemoryLog({ topic: 'orders', partitions: 1, clock: systemClock })
    source.add(
      { value: old.encode({ id: 1, old: 'x' }) },
      { value: now.encode({ id: 2, sum: 0.5 }) },
      { value: framed(99, [0]) },
      { value: Buffer.from('{"id":3}') },
      { value: old.encode({ id: 4, old: 'y' }) },
    )
    server.faults.isDown = true
    const { rows, letters } = await run(source, async () => {
      while (server.requests.filter((one) => one === 'GET /schemas/ids/1').length < 2) {
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      server.faults.isDown = false
    })
    expect(rows).toMatchObject([
      { id: 1, sum: '0' },
      { id: 2, sum: '0.5' },
      { id: 4, sum: '0' },
    ])
    expect(letters.map(({ offset, operator, reason }) => [offset, operator, reason])).toEqual([
      [2, 'decode orders', 'unknown-schema'],
      [3, 'decode orders', 'malformed'],
    ])
  })
})
