import { expect, test } from 'vitest'
import { murmur2, partitionOf } from '../../../src/sources/ingest/murmur2.ts'

// From UtilsTest.testMurmur2 of Apache Kafka.
const vectors: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

test.each(vectors)('the hash of %s is what the Java client computes', (text, expected) => {
  expect(murmur2(Buffer.from(text))).toBe(expected)
})

test('a partition is never negative and always the same for a key', () => {
  for (const [text] of vectors) {
    const partition = partitionOf(Buffer.from(text), 4)
    expect(partition).toBeGreaterThanOrEqual(0)
    expect(partition).toBeLessThan(4)
    expect(partitionOf(Buffer.from(text), 4)).toBe(partition)
  }
})
