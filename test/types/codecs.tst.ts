import {
  bytesCodec,
  type Codec,
  confluentRegistry,
  decode,
  type Fixed8,
  fixed8Schema,
  type JsonCodec,
  jsonCodec,
  orNull,
  type RecordView,
  type TwoWayCodec,
  textCodec,
  topic,
  type ValueOf,
  type WholeRecord,
  wholeRecord,
} from 'millrace'
import { type AvroCodec, type AvroValue, avroCodec } from 'millrace/avro'
import type { Observable } from 'rxjs'
import { describe, expect, test } from 'tstyche'
import { z } from 'zod'

declare const records: Observable<RecordView>

const order = z.object({
  id: z.int(),
  price: fixed8Schema,
  note: z.string().optional(),
  side: z.enum(['buy', 'sell']),
  at: z.string().transform((text) => new Date(text)),
})
interface Order {
  id: number
  price: Fixed8
  note?: string | undefined
  side: 'buy' | 'sell'
  at: Date
}

describe('a codec', () => {
  test('of JSON gives what its schema gives', () => {
    expect(jsonCodec(order)).type.toBe<JsonCodec<Order>>()
    expect(jsonCodec(z.strictObject({ a: z.string() }).nullable())).type.toBe<JsonCodec<{ a: string } | null>>()
    expect(records.pipe(decode(jsonCodec(order)))).type.toBe<Observable<Order>>()
    expect(jsonCodec(order).encode).type.not.toBeCallableWith({ id: 1 })
  })

  test('keeps its way back where null is added to it', () => {
    expect(orNull(jsonCodec(order))).type.toBe<TwoWayCodec<Order | null>>()
    expect(orNull(textCodec() as Codec<string>)).type.toBe<Codec<string | null>>()
  })

  test('of whole records gives key and value as their codecs do', () => {
    expect(wholeRecord(jsonCodec(order))).type.toBe<Codec<WholeRecord<Order, Uint8Array | null>>>()
    expect(wholeRecord(orNull(bytesCodec()), textCodec())).type.toBe<Codec<WholeRecord<Uint8Array | null, string>>>()
  })
})

describe('a codec of Avro', () => {
  const registry = confluentRegistry({ url: 'http://localhost:8081' })

  test('gives what Avro has, or what its zod schema gives', () => {
    expect(avroCodec({ registry })).type.toBe<AvroCodec<AvroValue>>()
    expect(avroCodec({ registry, zod: order })).type.toBe<AvroCodec<Order>>()
    expect(avroCodec({ registry, zod: order }).encode).type.not.toBeCallableWith({ id: 1 })
  })

  test('can be registered through the topic that it is of', () => {
    const orders = topic('orders', { value: avroCodec({ registry, zod: order }) })
    expect(orders.value.register('orders-value')).type.toBe<Promise<number>>()
    expect<ValueOf<typeof orders.value>>().type.toBe<Order>()
  })
})

describe('a topic', () => {
  test('knows what is in it by its codecs, and whether it can be written', () => {
    const orders = topic('orders', { key: textCodec(), value: jsonCodec(order) })
    expect<ValueOf<typeof orders.value>>().type.toBe<Order>()
    expect<ValueOf<typeof orders.key>>().type.toBe<string>()
    expect(orders.value).type.toBeAssignableTo<TwoWayCodec<Order>>()
    expect(topic('bytes', { value: wholeRecord(bytesCodec()) }).value).type.not.toBeAssignableTo<
      TwoWayCodec<WholeRecord<Uint8Array, Uint8Array | null>>
    >()
    expect(topic('orders', { value: bytesCodec() }).key).type.toBe<undefined>()
  })

  test('is made of codecs only', () => {
    expect(topic).type.not.toBeCallableWith('orders', { value: order })
    expect(topic).type.not.toBeCallableWith('orders', {})
  })
})
