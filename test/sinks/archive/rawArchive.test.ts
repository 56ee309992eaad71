import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigurationError, DeterminismError, OperatorError, RetryableError } from '../../../src/runtime/errors.ts'
import { type RawArchiveOptions, rawArchive } from '../../../src/sinks/archive/rawArchive.ts'
import { type ArchivedRecord, readArchiveObject } from '../../../src/sinks/archive/readArchiveObject.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'
import { sha256Of } from '../../contract/objectStore.ts'
import { appendAll, openAt, record } from './records.ts'

const hour = 3_600_000
const midnight = Date.UTC(2024, 7, 9)
const forever = new AbortController().signal

function simulated(store: MemoryObjectStore, options: Partial<RawArchiveOptions> = {}) {
  return rawArchive({ store, compression: 'inline', random: () => 0.5, ...options })
}

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

/** A store whose puts fail as they are told to. */
class UnkindStore extends MemoryObjectStore {
  failures: Error[] = []
  puts = 0
  underWay = 0
  mostUnderWay = 0
  hold: Promise<void> | null = null

  override async put(key: string, body: Uint8Array, sha256: string): Promise<void> {
    this.puts++
    this.underWay++
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay)
    try {
      await this.hold
      const failure = this.failures.shift()
      if (failure !== undefined) throw failure
      await super.put(key, body, sha256)
    } finally {
      this.underWay--
    }
  }
}

const small = (offset: number, timestamp = midnight) => record(offset, timestamp, 'BTCUSDT', `{"t":${offset}}`)
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => small(from + i))

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
      'bronze/topic=crypto.trades.raw/date=2024-08-09/partition=2/00000000000000000005-00000000000000000010.jsonl.gz'
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

  test('is one gzip file without a time in it', async () => {
    const store = new MemoryObjectStore()
    const writer = openAt(simulated(store), 0, new VirtualClock())
    appendAll(writer, range(0, 3))
    await writer.finish(forever)
    const body = [...store.objects.values()][0]!
    expect([...body.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
    expect(gunzipSync(body).toString().split('\n')).toHaveLength(4)
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
  readonly steps: readonly { readonly count: number; readonly ending: 'take' | 'crash' | 'nothing' }[]
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
        size: fc.nat(300),
      }),
      { minLength: 1, maxLength: 60 },
    ),
    steps: fc.array(
      fc.record({ count: fc.integer({ min: 1, max: 12 }), ending: fc.constantFrom('take', 'crash', 'nothing') }),
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
    const records = parts.map(({ gap, minutes, absurd, key, size }) => {
      offset += 1 + gap
      time += minutes * 60_000
      return record(offset, absurd && size % 4 === 0 ? -1 : time, key, `{"x":"${'y'.repeat(size)}"}`)
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
      for (const { count, ending } of steps) {
        appendAll(writer, records.slice(at, at + count))
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

describe('uploads of the raw archive', () => {
  test('are repeated with growing pauses for as long as the store asks for patience, and say what they wait for', async () => {
    const store = new UnkindStore('s3://raw')
    const clock = new VirtualClock()
    const writer = openAt(simulated(store, { maxRecords: 1 }), 0, clock)
    store.failures = Array.from({ length: 40 }, () => new RetryableError('connection refused'))
    appendAll(writer, range(0, 1))
    await clock.advance(14_000)
    expect(writer.waitingFor).toBe('s3://raw: connection refused, 14 s')
    expect(writer.take()).toEqual({ objects: [], nextOffset: 0 })
    const putsSoFar = store.puts
    expect(putsSoFar).toBeLessThan(12)
    await clock.run(writer.finish(forever))
    expect(store.puts).toBe(41)
    expect(writer.waitingFor).toBeNull()
    expect(writer.take().nextOffset).toBe(1)
  })

  test('are at most two at a time, over all tasks of the archive', async () => {
    const store = new UnkindStore()
    const clock = new VirtualClock()
    const archive = simulated(store, { maxRecords: 1 })
    const writers = [0, 1, 2].map((partition) => archive.open({ pipeline: 'p', topic: 't', partition }, 0, clock))
    store.hold = clock.sleep(1_000)
    for (const writer of writers) appendAll(writer, range(0, 4))
    await clock.settle()
    expect(store.underWay).toBe(2)
    await clock.run(Promise.all(writers.map((writer) => writer.finish(forever))))
    expect(store.mostUnderWay).toBe(2)
    expect(store.objects.size).toBe(12)
  })

  test('that are done out of order are taken in order, without gaps', async () => {
    const store = new UnkindStore()
    const clock = new VirtualClock()
    const writer = openAt(simulated(store, { maxRecords: 1 }), 0, clock)
    store.failures = [new RetryableError('first one, once')]
    appendAll(writer, range(0, 3))
    await clock.settle()
    expect(store.objects.size).toBe(2)
    expect(writer.take()).toEqual({ objects: [], nextOffset: 0 })
    await clock.run(writer.finish(forever))
    expect(writer.take().objects.map((object) => object.firstOffset)).toEqual([0, 1, 2])
  })

  test('that meet other bytes under their key fail for good, and the error comes out of take', async () => {
    const store = new UnkindStore()
    const clock = new VirtualClock()
    const [key] = await keysOf(range(0, 2))
    store.objects.set(key!, gzipSync('something else\n'))
    const writer = openAt(simulated(store, { maxRecords: 2 }), 0, clock)
    appendAll(writer, range(0, 2))
    await clock.run(writer.finish(forever))
    await clock.run(writer.waitForRoom(forever))
    expect(() => writer.take()).toThrow(DeterminismError)
    expect(() => writer.take()).toThrow('offsets 0 to 1')
  })

  test('that meet the same lines, compressed by another zlib, take what is there', async () => {
    const first = new MemoryObjectStore()
    const writer = openAt(simulated(first, { maxRecords: 2 }), 0, new VirtualClock())
    appendAll(writer, range(0, 2))
    await writer.finish(forever)
    const [key, body] = [...first.objects][0]!
    const other = gzipSync(gunzipSync(body), { level: 9 })
    expect(other.equals(body)).toBe(false)
    const store = new MemoryObjectStore()
    store.objects.set(key, other)
    const again = openAt(simulated(store, { maxRecords: 2 }), 0, new VirtualClock())
    appendAll(again, range(0, 2))
    await again.finish(forever)
    expect(again.take().objects).toMatchObject([{ key, sha256: sha256Of(other), sizeBytes: other.length }])
  })

  test('that fail with a bug of the store surface as they are', async () => {
    const store = new UnkindStore()
    const clock = new VirtualClock()
    const bug = new TypeError('undefined is not a function')
    store.failures = [bug]
    const writer = openAt(simulated(store, { maxRecords: 1 }), 0, clock)
    appendAll(writer, range(0, 1))
    await clock.run(writer.finish(forever))
    expect(() => writer.take()).toThrow(bug)
  })

  test('stop when the writer is abandoned, and leave their slots to others', async () => {
    const store = new UnkindStore()
    const clock = new VirtualClock()
    const archive = simulated(store, { maxRecords: 1 })
    const writer = openAt(archive, 0, clock)
    store.hold = new Promise(() => {})
    appendAll(writer, range(0, 4))
    await clock.settle()
    writer.abandon()
    expect(writer.heldBytes).toBe(0)
    expect(() => appendAll(writer, range(4, 5))).toThrow(OperatorError)
    await clock.settle()
    store.hold = null
    const next = openAt(archive, 0, clock)
    appendAll(next, range(0, 4))
    await clock.run(next.finish(forever))
    expect(next.take().nextOffset).toBe(4)
    expect(clock.sleeping).toBe(0)
  })
})

describe('the memory of the raw archive', () => {
  test('is bounded: there is no room while uploads do not keep up, and there is again when they do', async () => {
    const store = new UnkindStore()
    const clock = new VirtualClock()
    store.failures = Array.from({ length: 10 }, () => new RetryableError('slow down'))
    const writer = openAt(simulated(store, { maxRecords: 1, maxPendingBytes: 2_000 }), 0, clock)
    let appended = 0
    while (writer.hasRoom) appendAll(writer, range(appended, ++appended))
    expect(appended).toBeGreaterThan(2)
    expect(appended).toBeLessThan(100)
    expect(writer.heldBytes).toBeGreaterThanOrEqual(2_000)
    await clock.run(writer.waitForRoom(forever))
    expect(writer.hasRoom).toBe(true)
    await clock.run(writer.finish(forever))
    expect(writer.heldBytes).toBe(0)
  })

  test('lets the open object grow to its end even where the limit is smaller, for there is nothing to wait for', () => {
    const writer = openAt(simulated(new MemoryObjectStore(), { maxPendingBytes: 1 }), 0, new VirtualClock())
    appendAll(writer, range(0, 10))
    expect(writer.heldBytes).toBeGreaterThan(1)
    expect(writer.hasRoom).toBe(true)
  })

  test('waiting for room and finishing end when the signal fires', async () => {
    const store = new UnkindStore()
    store.hold = new Promise(() => {})
    const clock = new VirtualClock()
    const writer = openAt(simulated(store, { maxRecords: 1, maxPendingBytes: 1 }), 0, clock)
    appendAll(writer, range(0, 1))
    const stop = new AbortController()
    const waits = Promise.all([writer.waitForRoom(stop.signal), writer.finish(stop.signal)])
    await clock.advance(6_000)
    expect(writer.waitingFor).toBe('memory:: an upload has no answer yet, 6 s')
    stop.abort()
    await waits
    expect(writer.take().nextOffset).toBe(0)
  })
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
