import { describe, expect, test } from 'vitest'
import { bytesCodec } from '../../src/codecs/bytesCodec.ts'
import { textCodec } from '../../src/codecs/textCodec.ts'
import { topic } from '../../src/codecs/topic.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'

describe('a topic', () => {
  const value = bytesCodec()

  test('is its name and the codecs of what is in it', () => {
    const key = textCodec()
    expect(topic('orders.paid_v2-eu', { value, key })).toEqual({ name: 'orders.paid_v2-eu', value, key })
    expect(topic('orders', { value }).key).toBeUndefined()
  })

  test('has a name that Kafka takes', () => {
    for (const name of ['a', '...', '.a', 'a'.repeat(249)]) expect(topic(name, { value }).name).toBe(name)
    for (const name of ['', '.', '..', 'a b', 'a/b', 'bücher', 'a\n', 'a'.repeat(250)]) {
      expect(() => topic(name, { value })).toThrow(ConfigurationError)
    }
  })
})
