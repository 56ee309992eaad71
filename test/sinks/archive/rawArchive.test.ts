import { zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, OperatorError } from '../../../src/runtime/errors.ts'
import { type RawArchiveOptions, rawArchive } from '../../../src/sinks/archive/rawArchive.ts'
import { type ArchivedRecord, readArchiveObject } from '../../../src/sinks/archive/readArchiveObject.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'
import { sha256Of } from '../../contract/objectStore.ts'
import { appendAll, appendTogether, forever, openAt, range, record, simulated, small } from './records.ts'

const hour = 3_600_000
const midnight = Date.UTC(2024, 7, 9)

async function keysOf(records: readonly ArchivedRecord[], options: Partial<RawArchiveOptions> = {}): Promise<string[]> {
  const store = new MemoryObjectStore()
  const writer = openAt(simulated(store, options), records[0]?.offset ?? 0, new VirtualClock())
  appendAll(writer, records)
  await writer.finish(forever)
  return writer.take().objects.map((object) => object.key)
}

function offsetsIn(keys: readonly string[]): string[] {
  return keys.map((key) => /(\d{20})-(\d{20})/.exec(key)!.slice(1).map(Number).join('-'))
}

describe('an object of the raw archive', () => {
  test('is named after topic, day, partition and offsets, and the manifest says what is in it', async () => {
    const store = new MemoryObjectStore()
    const writer = openAt(simulated(store, { keyPrefix: 'bronze/' }), 5, new VirtualClock())
    appendAll(writer, [
      record(5, midnight + 7, 'ETHUSDT', '{}'),
      record(6, -1, null, 'broken'),
      record(9, midnight + 3, 'BTCUSDT', '{}'),
      record(10, midnight + 9, 'ETHUSDT', null),
    ])
    await writer.finish(forever)
    const { objects, nextOffset } = writer.take()
    const key =
      'bronze/topic=crypto.trades.raw/date=2024-08-09/partition=2/00000000000000000005-00000000000000000010.jsonl.zst'
    const body = store.objects.get(key)!
    expect(objects).toEqual([
      {
        key,
        firstOffset: 5,
        lastOffset: 10,
        recordCount: 4,
        sizeBytes: body.length,
        sha256: sha256Of(body),
        minTimestamp: midnight + 3,
        maxTimestamp: midnight + 9,
        symbols: ['BTCUSDT', 'ETHUSDT'],
      },
    ])
    expect(nextOffset).toBe(11)
    expect(writer.take()).toEqual({ objects: [], nextOffset: 11 })
  })

  test('is a Zstandard file that any decoder reads', async () => {
    const store = new MemoryObjectStore()
    const writer = openAt(simulated(store), 0, new VirtualClock())
    appendAll(writer, range(0, 3))
    await writer.finish(forever)
    const [key] = store.objects.keys()
    const body = store.objects.get(key!)!
    expect(zstdDecompressSync(body).toString().split('\n')).toHaveLength(4)
  })

  test('ends with the record that makes it full, by count', async () => {
    expect(offsetsIn(await keysOf(range(0, 7), { maxRecords: 3 }))).toEqual(['0-2', '3-5', '6-6'])
  })

  test('ends with the record that makes it full, by bytes', async () => {
    const line = '{"offset":0,"timestamp":1723161600000,"key":"BTCUSDT","value":{"t":0}}\n'.length
    expect(offsetsIn(await keysOf(range(0, 5), { maxBytes: 2 * line }))).toEqual(['0-1', '2-3', '4-4'])
    expect(offsetsIn(await keysOf(range(0, 3), { maxBytes: 2 * line + 1 }))).toEqual(['0-2'])
  })

  test('ends before a record of a later hour, and at an hour exactly', async () => {
    const at = [midnight, midnight + hour - 1, midnight + hour, midnight + hour + 1, midnight + 24 * hour]
    const keys = await keysOf(at.map((timestamp, i) => small(i, timestamp)))
    expect(offsetsIn(keys)).toEqual(['0-1', '2-3', '4-4'])
    expect(keys.map((key) => key.split('/')[1])).toEqual(['date=2024-08-09', 'date=2024-08-09', 'date=2024-08-10'])
  })

  test('does not end at a record of an earlier hour', async () => {
    const at = [midnight + hour, midnight, midnight + hour + 1]
    expect(offsetsIn(await keysOf(at.map((timestamp, i) => small(i, timestamp))))).toEqual(['0-2'])
  })

  test('is not ended by an absurd time or none, and takes its day from the first plausible time', async () => {
    const year3000 = Date.UTC(3000, 0, 1)
    const at = [
      -1,
      year3000,
      Number.MIN_SAFE_INTEGER,
      midnight,
      year3000,
      midnight * 1000,
      Number.MAX_SAFE_INTEGER,
      midnight + 1,
    ]
    const keys = await keysOf(at.map((timestamp, i) => small(i, timestamp)))
    expect(offsetsIn(keys)).toEqual(['0-7'])
    expect(keys[0]).toContain('date=2024-08-09')
    expect((await keysOf([small(0, -1), small(1, year3000)]))[0]).toContain('date=1970-01-01')
  })
})

interface Plan {
  readonly records: readonly ArchivedRecord[]
  readonly steps: readonly {
    readonly count: number
    /** Given to the archive one by one, or so many at a time. */
    readonly together: number | null
    readonly ending: 'take' | 'crash' | 'nothing'
  }[]
  readonly maxRecords: number
  readonly maxBytes: number
}

const plans: fc.Arbitrary<Plan> = fc
  .record({
    parts: fc.array(
      fc.record({
        gap: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(4)),
        minutes: fc.integer({ min: -30, max: 45 }),
        absurd: fc.boolean(),
        key: fc.constantFrom('BTCUSDT', 'ETHUSDT', null),
        size: fc.oneof(fc.nat(300), fc.integer({ min: 495, max: 515 })),
        hasHeaders: fc.boolean(),
      }),
      { minLength: 1, maxLength: 60 },
    ),
    steps: fc.array(
      fc.record({
        count: fc.integer({ min: 1, max: 12 }),
        together: fc.option(fc.integer({ min: 1, max: 12 })),
        ending: fc.constantFrom('take', 'crash', 'nothing'),
      }),
      {
        maxLength: 30,
      },
    ),
    maxRecords: fc.integer({ min: 1, max: 25 }),
    maxBytes: fc.integer({ min: 1, max: 4_000 }),
  })
  .map(({ parts, ...rest }) => {
    let offset = -1
    let time = midnight
    const records = parts.map(({ gap, minutes, absurd, key, size, hasHeaders }) => {
      offset += 1 + gap
      time += minutes * 60_000
      const made = record(
        offset,
        absurd && size % 4 === 0 ? -1 : time,
        key,
        size === 0 ? '{}' : `{"x":"${'y'.repeat(size)}"}`,
      )
      return hasHeaders && size % 5 === 0 ? { ...made, headers: [{ key: 'trace', value: Buffer.from('abc') }] } : made
    })
    return { records, ...rest } as Plan
  })

test('the same records make the same objects, wherever takes, crashes and restarts fall', async () => {
  await fc.assert(
    fc.asyncProperty(plans, async ({ records, steps, maxRecords, maxBytes }) => {
      const whole = new MemoryObjectStore()
      const straight = openAt(simulated(whole, { maxRecords, maxBytes }), 0, new VirtualClock())
      appendAll(straight, records)
      await straight.finish(forever)
      const expected = straight.take().objects

      const store = new MemoryObjectStore()
      const clock = new VirtualClock()
      const archive = simulated(store, { maxRecords, maxBytes })
      const manifest: (typeof expected)[number][] = []
      let committed = 0
      let writer = openAt(archive, committed, clock)
      let at = 0
      const commit = () => {
        const progress = writer.take()
        manifest.push(...progress.objects)
        committed = progress.nextOffset
      }
      for (const { count, together, ending } of steps) {
        if (together === null) appendAll(writer, records.slice(at, at + count))
        else appendTogether(writer, records.slice(at, at + count), together)
        at = Math.min(records.length, at + count)
        if (ending === 'nothing') continue
        await clock.settle()
        if (ending === 'take') {
          commit()
        } else {
          writer.abandon()
          writer = openAt(archive, committed, clock)
          const resume = records.findIndex((each) => each.offset >= committed)
          at = resume < 0 ? records.length : resume
        }
      }
      appendAll(writer, records.slice(at))
      await writer.finish(forever)
      commit()
      expect(manifest).toEqual(expected)
      expect([...store.objects]).toEqual(expect.arrayContaining([...whole.objects]))
      expect(manifest.flatMap(({ key }) => [...readArchiveObject(store.objects.get(key)!)])).toEqual(records)
    }),
    { numRuns: 150 },
  )
})

test('a record below the offset where the archive goes on is a mistake of the caller', () => {
  const writer = openAt(simulated(new MemoryObjectStore()), 5, new VirtualClock())
  expect(() => appendAll(writer, range(4, 5))).toThrow(OperatorError)
  appendAll(writer, range(7, 8))
  expect(() => appendAll(writer, range(7, 8))).toThrow('goes on at 8')
})

test('options and topics that make no sense are refused at once, with name and value', () => {
  const store = new MemoryObjectStore()
  expect(() => rawArchive({ store, maxRecords: 0 })).toThrow(ConfigurationError)
  expect(() => rawArchive({ store, maxBytes: 1.5 })).toThrow('maxBytes must be a positive integer, got 1.5')
  expect(() => rawArchive({ store, keyPrefix: 'a' })).toThrow('keyPrefix')
  expect(() =>
    rawArchive({ store }).open({ pipeline: 'p', topic: 'a/b', partition: 0 }, 0, new VirtualClock()),
  ).toThrow('"a/b"')
})
