import { type DefinedFeed, defineFeed, jsonCodec, type Topic, textCodec, topic } from 'millrace'
import { testFeed } from 'millrace/testing'
import { describe, expect, test } from 'tstyche'
import { z } from 'zod'

const reading = z.object({ sensor: z.string(), at: z.int(), celsius: z.number() })
type Reading = z.infer<typeof reading>
const readings = topic('readings', { value: jsonCodec(reading) })
const keyed = topic('keyed', { key: jsonCodec(z.tuple([z.string(), z.int()])), value: textCodec() })
declare const some: Reading[]

describe('a feed', () => {
  test('is typed by its topic', async () => {
    const feed = defineFeed({
      name: 'weather',
      topic: readings,
      key: (value) => {
        expect(value).type.toBe<Reading>()
        return value.sensor
      },
      time: ({ at }) => at,
      read: async function* (position, signal) {
        expect(position).type.toBe<string | null>()
        expect(signal).type.toBe<AbortSignal>()
        yield { values: some, position: '1' }
        yield { records: [{ key: 'a', value: null }], position: '2' }
      },
    })
    expect(feed).type.toBe<DefinedFeed<typeof readings>>()
    expect((await testFeed(feed)).values).type.toBe<readonly Reading[]>()
  })

  test('does not take values of another topic, nor a key that its key codec does not write', () => {
    const read = async function* () {
      yield { values: ['text'], position: '1' }
    }
    expect(defineFeed).type.not.toBeCallableWith({ name: 'weather', topic: readings, read })
    expect(defineFeed).type.toBeCallableWith({
      name: 'keyed',
      topic: keyed,
      read,
      key: () => ['a', 1] as [string, number],
    })
    expect(defineFeed).type.not.toBeCallableWith({ name: 'keyed', topic: keyed, read, key: () => 'a' })
  })

  test('needs a topic that can be written', () => {
    const readOnly = { name: 'x', value: { decode: () => 1 }, key: undefined } satisfies Topic<{ decode(): number }>
    expect(defineFeed).type.not.toBeCallableWith({ name: 'x', topic: readOnly, read: async function* () {} })
  })
})
