import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { orNull } from '../../../src/codecs/orNull.ts'
import { textCodec } from '../../../src/codecs/textCodec.ts'
import { topic } from '../../../src/codecs/topic.ts'
import { ConfigurationError, RetryableError } from '../../../src/runtime/errors.ts'
import type { LogWriter } from '../../../src/runtime/log/log.ts'
import { partitionOf } from '../../../src/sources/ingest/murmur2.ts'
import { type IngestOptions, runIngest } from '../../../src/sources/ingest/runIngest.ts'
import { defineFeed, type FeedPart } from '../../../src/sources/ownFeed/defineFeed.ts'
import { testFeed } from '../../../src/testing/kit/testFeed.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { logContents } from '../ingest/logContents.ts'

const partitions = 3
const reading = z.strictObject({ sensor: z.string(), at: z.int(), celsius: z.number() })
type Reading = z.infer<typeof reading>
const readings = topic('readings', { value: jsonCodec(reading) })
const start = Date.UTC(2024, 7, 9)

function readingAt(index: number): Reading {
  return { sensor: `s${index % 5}`, at: start + index, celsius: index / 10 }
}

interface Life {
  /** Numbers that were yielded. */
  readonly yielded: number[]
  finished: number
  opened: (string | null)[]
}

/** Counts from its position up to `end`, `step` at a time. */
function counting(end: number, step = 1, life: Life = { yielded: [], finished: 0, opened: [] }) {
  const feed = defineFeed({
    name: 'weather',
    topic: readings,
    key: (value) => value.sensor,
    time: (value) => value.at,
    async *read(position) {
      life.opened.push(position)
      try {
        for (let next = Number(position ?? 0); next < end; next += step) {
          const numbers = Array.from({ length: Math.min(step, end - next) }, (_, index) => next + index)
          life.yielded.push(...numbers)
          yield { values: numbers.map(readingAt), position: String(next + numbers.length) }
        }
      } finally {
        life.finished++
      }
    },
  })
  return { feed, life }
}

function yielding(read: (position: string | null, signal: AbortSignal) => AsyncIterable<FeedPart<Reading>>) {
  return defineFeed({ name: 'weather', topic: readings, time: (value) => value.at, read })
}

function ingest(log: MemoryLog, feed: IngestOptions['feed'], options: Partial<IngestOptions> = {}) {
  return runIngest({ feed, writer: log.writer(), producer: 'weather', partitions, ...options })
}

class Crash extends Error {}

function crashing(inner: LogWriter, crashAt: number, isStored: boolean): LogWriter {
  let appends = 0
  return {
    ...inner,
    append: async (records, position) => {
      const isCrash = appends++ === crashAt
      if (!isCrash || isStored) await inner.append(records, position)
      if (isCrash) throw new Crash()
    },
  }
}

describe('a feed of one’s own', () => {
  test('goes into its topic by its codec, key and time', async () => {
    const log = new MemoryLog({ partitions })
    const { feed, life } = counting(100)
    const report = await ingest(log, feed)
    expect(report).toMatchObject({ end: 'feed-ended', records: 100, counts: { records: 100 } })
    const records = await logContents(log)
    for (const { key, value, timestamp, partition } of records) {
      const { sensor, at } = JSON.parse(value ?? '') as Reading
      expect(key).toBe(sensor)
      expect(timestamp).toBe(at)
      expect(partition).toBe(partitionOf(Buffer.from(sensor), partitions))
    }
    expect(records.map(({ value }) => (JSON.parse(value ?? '') as Reading).at - start).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, index) => index),
    )
    expect(life).toMatchObject({ finished: 1, opened: [null] })
  })

  test('records of its own go as they are; without a key to partition 0, without a time with none', async () => {
    const log = new MemoryLog({ partitions })
    const feed = defineFeed({
      name: 'raw',
      topic: topic('raw', { value: orNull(textCodec()) }),
      async *read(position) {
        if (position === null) yield { values: ['a', null], position: '1' }
        if (position === '2') return
        const headers = [{ key: 'h', value: Buffer.from('1') }]
        yield { records: [{ key: 'k', value: 'b', timestamp: start, headers }, { value: null }], position: '2' }
      },
    })
    await ingest(log, feed)
    const k = { partition: partitionOf(Buffer.from('k'), partitions), key: 'k', value: 'b', timestamp: start }
    const records = await logContents(log)
    expect(records.filter(({ key }) => key === null)).toMatchObject([
      { partition: 0, value: 'a', timestamp: -1 },
      { partition: 0, value: null, timestamp: -1 },
      { partition: 0, value: null, timestamp: -1 },
    ])
    expect(records.filter(({ key }) => key !== null)).toMatchObject([k])
    expect((await testFeed(feed)).records[2]?.headers).toEqual([{ key: 'h', value: Buffer.from('1') }])
  })

  test('killed anywhere and started again, the topic is that of a run without a kill', async () => {
    const whole = new MemoryLog({ partitions })
    await ingest(whole, counting(300).feed)
    const expected = await logContents(whole)
    const kill = fc.record({ at: fc.nat(6), isStored: fc.boolean(), maxRecords: fc.integer({ min: 1, max: 60 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(kill, { maxLength: 5 }), fc.integer({ min: 1, max: 40 }), async (kills, step) => {
        const log = new MemoryLog({ partitions })
        const { feed, life } = counting(300, step)
        for (const { at, isStored, maxRecords } of kills) {
          const options = { writer: crashing(log.writer(), at, isStored), batch: { maxRecords } }
          await ingest(log, feed, options).catch((error: unknown) => {
            if (!(error instanceof Crash)) throw error
          })
        }
        await ingest(log, feed)
        expect(await logContents(log)).toEqual(expected)
        expect(life.finished).toBe(life.opened.length)
      }),
      { numRuns: 60 },
    )
  })

  test('is not asked for more than two batches beyond what the log has taken', async () => {
    const log = new MemoryLog({ partitions })
    const { feed, life } = counting(1_000)
    const inner = log.writer()
    let stored = 0
    let furthest = 0
    const writer: LogWriter = {
      ...inner,
      append: async (records, position) => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        furthest = Math.max(furthest, life.yielded.length - stored)
        await inner.append(records, position)
        stored += records.length
      },
    }
    await ingest(log, feed, { writer, batch: { maxRecords: 10 } })
    expect(stored).toBe(1_000)
    expect(furthest).toBeLessThanOrEqual(20)
  })

  test('that throws RetryableError is started again at the stored position', async () => {
    const log = new MemoryLog({ partitions })
    const opened: (string | null)[] = []
    const feed = yielding(async function* (position) {
      opened.push(position)
      const next = Number(position ?? 0)
      yield { values: [readingAt(next)], position: String(next + 1) }
      if (next < 2) throw new RetryableError('the service is away')
    })
    const waits: (string | null)[] = []
    const report = await ingest(log, feed, { onProgress: ({ waitingFor }) => waits.push(waitingFor) })
    expect(report).toMatchObject({ end: 'feed-ended', records: 3 })
    expect(opened).toEqual([null, '1', '2'])
    expect((await logContents(log)).map(({ timestamp }) => timestamp - start)).toEqual([0, 1, 2])
    expect(waits.some((wait) => wait?.includes('the service is away') === true)).toBe(true)
  })

  test('that throws anything else ends the ingest, with what came before in the log', async () => {
    const log = new MemoryLog({ partitions })
    const feed = yielding(async function* () {
      yield { values: [readingAt(0), readingAt(1)], position: '2' }
      throw new TypeError('boom')
    })
    await expect(ingest(log, feed)).rejects.toThrow(new TypeError('boom'))
    expect(await logContents(log)).toHaveLength(2)
  })

  test.each<[string, unknown, RegExp]>([
    [
      'that the codec refuses',
      { sensor: 'a', at: start },
      /value 1 of the batch behind position "2" cannot go to topic readings: jsonCodec: .*celsius/,
    ],
    ['with a time that is none', { sensor: 'a', at: Number.NaN, celsius: 1 }, /cannot go to topic readings/],
    [
      'with a time in microseconds',
      { sensor: 'a', at: start * 1_000, celsius: 1 },
      /past the year 2100: is it in microseconds/,
    ],
    ['with a time before 1970', { sensor: 'a', at: -5, celsius: 1 }, /before 1970/],
  ])('a value %s ends the ingest and is named', async (_, bad, message) => {
    const log = new MemoryLog({ partitions })
    let finished = false
    const feed = yielding(async function* () {
      try {
        yield { values: [readingAt(0), readingAt(1)], position: '2' }
        yield { values: [readingAt(2), bad as Reading, readingAt(4)], position: '5' }
      } finally {
        finished = true
      }
    })
    const running = ingest(log, feed)
    await expect(running).rejects.toThrow(ConfigurationError)
    await expect(running).rejects.toThrow(message)
    expect(await logContents(log)).toHaveLength(2)
    expect(finished).toBe(true)
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['no position', { values: [] }],
    ['a position that is no text', { values: [], position: 7 }],
    ['values that are no list', { values: 'abc', position: '1' }],
  ])('a yield with %s is refused', async (_, part) => {
    const feed = yielding(async function* () {
      yield part as FeedPart<Reading>
    })
    await expect(ingest(new MemoryLog({ partitions }), feed)).rejects.toThrow(/feed weather: /)
  })

  test('a stop in mid-wait stores what was yielded, fires the signal and finishes the generator', async () => {
    const log = new MemoryLog({ partitions })
    const stop = new AbortController()
    let isFinished = false
    const feed = yielding(async function* (_, signal) {
      try {
        yield { values: [readingAt(0)], position: '1' }
        setTimeout(() => stop.abort(), 30)
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      } finally {
        isFinished = true
      }
    })
    expect(await ingest(log, feed, { signal: stop.signal })).toMatchObject({ end: 'stopped', records: 1 })
    expect(isFinished).toBe(true)
  })

  test('a name is checked', () => {
    expect(() => defineFeed({ name: 'a b', topic: readings, read: async function* () {} })).toThrow(ConfigurationError)
  })
})

describe('testFeed', () => {
  test('gives the values, read back', async () => {
    const { values, positions } = await testFeed(counting(7, 3).feed)
    expect(values).toEqual(Array.from({ length: 7 }, (_, index) => readingAt(index)))
    expect(positions).toEqual(['3', '6', '7'])
  })

  test('finds a feed that forgets its position', async () => {
    const feed = yielding(async function* () {
      for (let next = 0; next < 3; next++) yield { values: [readingAt(next)], position: String(next + 1) }
    })
    await expect(testFeed(feed)).rejects.toThrow(
      /restarted at position "1", batch 1: record 0 is .*; without a restart/,
    )
  })

  test('finds state that is not in the position', async () => {
    const feed = yielding(async function* (position) {
      let sum = 0
      for (let next = Number(position ?? 0); next < 3; next++) {
        sum += next
        yield { values: [{ ...readingAt(next), celsius: sum }], position: String(next + 1) }
      }
    })
    await expect(testFeed(feed)).rejects.toThrow(/restarted at position "2"/)
  })

  test('finds a feed that goes on behind its end', async () => {
    const feed = yielding(async function* (position) {
      if (position === 'end') yield { values: [readingAt(9)], position: 'more' }
      else yield { values: [readingAt(0)], position: 'end' }
    })
    await expect(testFeed(feed)).rejects.toThrow(/without a restart it is missing/)
  })

  test('reads so many batches of a feed without an end, and says how where it is not told', async () => {
    const { feed } = counting(Number.POSITIVE_INFINITY)
    expect((await testFeed(feed, { batches: 5 })).values).toHaveLength(5)
    await expect(testFeed(feed)).rejects.toThrow(/did not end; say how many to read with `batches`/)
  })
})
