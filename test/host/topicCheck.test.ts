import { describe, expect, test } from 'vitest'
import { checkPastRetention, checkRetention, objectSpanMs } from '../../src/host/topicCheck.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'

const hour = 3_600_000
const forEver = { topic: 'trades', retentionMs: null, retentionBytes: null, isCompacted: false }

describe('checkRetention', () => {
  test('a topic that keeps everything, or a week, is fine', () => {
    expect(checkRetention(forEver, true)).toEqual([])
    expect(checkRetention({ ...forEver, retentionMs: 168 * hour }, true)).toEqual([])
  })

  test('an archive whose objects span more than is kept is refused, with both numbers', () => {
    const short = { ...forEver, retentionMs: 2 * objectSpanMs - 1 }
    expect(() => checkRetention(short, true)).toThrow(ConfigurationError)
    expect(() => checkRetention(short, true)).toThrow(/retention\.ms=7199999\).*spans up to .*at least 7200000/)
    expect(checkRetention(short, false)).toEqual([expect.stringContaining('an outage')])
    expect(() => checkRetention({ ...forEver, retentionBytes: 1_000_000 }, true)).toThrow(/retention\.bytes=1000000/)
  })

  test('less than a day is a warning, and so is a limit of bytes', () => {
    expect(checkRetention({ ...forEver, retentionMs: 23 * hour }, true)).toHaveLength(1)
    expect(checkRetention({ ...forEver, retentionBytes: 10_000_000_000 }, true)).toHaveLength(1)
  })

  test('a compacted topic is refused, with an archive or without', () => {
    for (const isArchived of [true, false])
      expect(() => checkRetention({ ...forEver, isCompacted: true }, isArchived)).toThrow(/compacted/)
  })
})

test('a tape only goes into a topic that keeps everything, because brokers count age from the trade', () => {
  expect(() => checkPastRetention(forEver)).not.toThrow()
  expect(() => checkPastRetention({ ...forEver, retentionMs: 168 * hour })).toThrow(/retention\.ms=604800000.*--topic/)
})
