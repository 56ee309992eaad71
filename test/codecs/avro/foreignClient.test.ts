import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { avroCodec } from '../../../src/codecs/avro/avroCodec.ts'
import type { AvroValue } from '../../../src/codecs/avro/avroValue.ts'
import { confluentRegistry } from '../../../src/codecs/registry/confluentRegistry.ts'
import { type SchemaRegistryServer, startSchemaRegistry } from '../../../src/testing/schemaRegistryServer.ts'
import { decoded } from './avroFrames.ts'

const program = fileURLToPath(new URL('../../support/python/avro_client.py', import.meta.url))
const python = process.env.MILLRACE_TEST_PYTHON ?? 'python3'
const probe = 'import confluent_kafka.schema_registry.avro'
const hasClient = spawnSync(python, ['-W', 'ignore', '-c', probe]).status === 0
const title = `Confluent's client for Python${hasClient ? '' : ' (not here: pip install "confluent-kafka[avro]", and MILLRACE_TEST_PYTHON for another python)'}`

const schema = {
  type: 'record',
  name: 'Order',
  namespace: 'shop',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 20, scale: 8 } },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'side', type: { type: 'enum', name: 'Side', symbols: ['BUY', 'SELL'] } },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'raw', type: { type: 'fixed', name: 'Raw', size: 3 } },
    { name: 'by', type: { type: 'map', values: { type: 'array', items: 'double' } } },
  ],
}
const orders = Array.from({ length: 50 }, (_, i) => ({
  id: ((i % 2 === 0 ? 1 : -1) * 3 ** i) % 2 ** 53,
  price: `${i % 3 === 0 ? '-' : ''}${61_837 * i}.0000000${i % 10}`.replace('-0.00000000', '0.00000000'),
  at: 1_723_118_400_000 + i,
  side: i % 2 === 0 ? 'BUY' : 'SELL',
  note: i % 4 === 0 ? null : `nötig ${i}`,
  raw: Buffer.from([i, 0, 255]),
  by: { x: [0.1 * i], y: [] },
}))
/** With bytes as text, as the lines of the program have them. */
const lines = orders.map(({ raw, ...order }) => ({ ...order, raw: raw.toString('hex') }))

async function runPython(input: readonly string[], ...args: string[]): Promise<string[]> {
  const child = spawn(python, ['-W', 'ignore', program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(input.map((line) => `${line}\n`).join(''))
  const closed = once(child, 'close')
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [status] = await closed
  // It warns of libraries of its own on the way.
  expect(status, errors).toBe(0)
  return output.trimEnd().split('\n')
}

describe.skipIf(!hasClient)(title, () => {
  let server: SchemaRegistryServer
  beforeAll(async () => {
    server = await startSchemaRegistry()
  })
  afterAll(() => server?.close())

  it('reads what we write', async () => {
    const codec = avroCodec({ registry: confluentRegistry({ url: server.url }), schema })
    await codec.register('orders-value')
    const frames = orders.map((order) => codec.encode(order).toString('hex'))
    const read = await runPython(frames, 'read', server.url, 'orders')
    expect(read.map((line) => JSON.parse(line))).toEqual(lines)
  })

  it('writes what we read, by a schema that it registers', async () => {
    const written = await runPython(
      lines.map((line) => JSON.stringify(line)),
      'write',
      server.url,
      'theirs',
      JSON.stringify({ ...schema, fields: [...schema.fields].reverse() }),
    )
    const codec = avroCodec({ registry: confluentRegistry({ url: server.url }), schema })
    const read: unknown[] = []
    for (const frame of written) read.push(await decoded(codec, Buffer.from(frame, 'hex')))
    expect(read as AvroValue[]).toEqual(orders)
  })
})
