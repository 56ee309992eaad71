import { NEVER, type Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../src/codecs/jsonCodec.ts'
import { orNull } from '../../src/codecs/orNull.ts'
import { textCodec } from '../../src/codecs/textCodec.ts'
import { topic } from '../../src/codecs/topic.ts'
import type { OutgoingMessage } from '../../src/runtime/log/destination.ts'
import type { MessagesOutlet } from '../../src/runtime/pipeline/outlet.ts'
import { type Withdrawn, withdrawn } from '../../src/runtime/withdrawn.ts'
import { toDestination } from '../../src/sinks/toDestination.ts'
import { toTopic } from '../../src/sinks/toTopic.ts'

interface Order {
  readonly id: string
  readonly at: number
}

const order = z.object({ id: z.string(), at: z.number() })
const orders: Observable<Order> = NEVER
const anOrder: Order = { id: 'ö1', at: 7 }
const at = ({ at }: Order) => at
const encoded = <T>(outlet: MessagesOutlet<T>, value: T): OutgoingMessage => outlet.encode(value as never)
const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())

describe('toTopic', () => {
  it('writes keys and values by the codecs of the topic', () => {
    const into = topic('orders', { key: textCodec(), value: jsonCodec(order) })
    const outlet = toTopic(orders, { topic: into, by: ({ id }) => id, at })
    // With its codecs, by which the test kit reads the messages again.
    expect(outlet.to).toEqual({ kind: 'topic', topic: 'orders', codecs: into })
    const { key, value, time } = encoded(outlet, anOrder)
    expect([text(key), text(value), time]).toEqual(['ö1', '{"id":"ö1","at":7}', 7])
  })

  it('writes a tombstone where the codec makes one, and no key where none is told', () => {
    const nullable: Observable<Order | null> = NEVER
    const outlet = toTopic(nullable, {
      topic: topic('orders', { value: orNull(jsonCodec(order)) }),
      at: () => 1,
    })
    expect(encoded(outlet, null)).toEqual({ time: 1, key: null, value: null })
    const keyed = toTopic(orders, {
      topic: topic('orders', { key: textCodec(), value: jsonCodec(order) }),
      by: () => null,
      at,
    })
    expect(encoded(keyed, anOrder).key).toBeNull()
  })

  it('takes a topic by name, with text or bytes, and headers', () => {
    const outlet = toTopic(orders, {
      topic: 'orders',
      encode: ({ id }) => (id === '' ? null : id),
      by: ({ id }) => Uint8Array.of(id.length),
      at,
      headers: ({ id }) => [{ key: 'id', value: Buffer.from(id) }],
    })
    const message = encoded(outlet, anOrder)
    expect(message).toMatchObject({ key: Uint8Array.of(2), headers: [{ key: 'id', value: Buffer.from('ö1') }] })
    expect(text(message.value)).toBe('ö1')
    expect(encoded(outlet, { id: '', at: 1 }).value).toBeNull()
  })

  it('writes a tombstone under the key of what was taken back, and none without a key', () => {
    const results: Observable<Order | Withdrawn<Order>> = NEVER
    const keyed = toTopic(results, {
      topic: topic('orders', { key: textCodec(), value: jsonCodec(order) }),
      by: ({ id }) => id,
      at,
      headers: ({ id }) => [{ key: 'id', value: Buffer.from(id) }],
    })
    expect(encoded<unknown>(keyed, withdrawn(anOrder))).toEqual({
      ...{ time: 7, key: Buffer.from('ö1'), value: null },
      headers: [{ key: 'id', value: Buffer.from('ö1') }],
    })
    expect(encoded(keyed, anOrder).value).not.toBeNull()
    const keyless = toTopic(results, { topic: 'orders', encode: ({ id }) => id, at })
    expect(() => encoded<unknown>(keyless, withdrawn(anOrder))).toThrow(/it has no key/)
  })

  it('refuses text that UTF-8 cannot hold', () => {
    const outlet = toTopic(orders, { topic: 'orders', encode: ({ id }) => id, by: ({ id }) => id, at })
    expect(() => encoded(outlet, { id: '\ud800', at: 1 })).toThrow(/half a surrogate pair/)
  })
})

describe('toDestination', () => {
  it('is told who takes the messages and what they are', () => {
    const open = () => ({ claim: async () => null, send: async () => {}, close: async () => {} })
    const encode = ({ id, at }: Order) => ({ time: at, key: null, value: Buffer.from(id) })
    const outlet = toDestination(orders, { name: 'mine', encode, open })
    expect(outlet.to).toEqual({ kind: 'destination', name: 'mine', open })
    expect(text(encoded(outlet, anOrder).value)).toBe('ö1')
  })
})
