import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigurationError, OffsetOutOfRangeError, TaskFencedError } from '../../src/runtime/errors.ts'
import type { FetchOptions, LogReader, LogSource, LogWriter, OutgoingRecord } from '../../src/runtime/log/log.ts'
import { type RecordHeader, RecordView } from '../../src/runtime/log/record.ts'

/** A log as the suite sees it: a fresh topic of three empty partitions, and what surrounds the two ports. */
export interface LogUnderTest {
  readonly source: LogSource
  /** A writer of its own each time. */
  writer(): LogWriter
  /** Lets go of a partition's records below an offset. */
  trim(partition: number, beforeOffset: number): Promise<void>
  /** The same topic as another process sees it. */
  reopen(): Promise<{ readonly source: LogSource; writer(): LogWriter }>
  /** Releases everything that the log under test has opened. */
  dispose(): Promise<void>
}

const AT_ONCE: FetchOptions = { maxBytes: 1 << 20, maxWaitMs: 0 }
/** Longer than any test: a fetch that waits is woken or aborted, it does not run out. */
const FOR_LONG: FetchOptions = { maxBytes: 1 << 20, maxWaitMs: 60_000 }

interface ReadRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
}

/** The laws of a log, for every implementation of `LogSource` and `LogWriter`. */
export function describeLog(name: string, open: () => Promise<LogUnderTest>): void {
  describeLogReading(name, open, test)
}

/** Those of a log that ends where it was opened: nothing comes while somebody waits, and nothing is trimmed. */
export function describeBoundedLog(name: string, open: () => Promise<LogUnderTest>): void {
  describeLogReading(name, open, test.skip)
}

function describeLogReading(name: string, open: () => Promise<LogUnderTest>, live: typeof test.skip): void {
  describe(name, () => {
    let log: LogUnderTest
    let writer: LogWriter

    beforeEach(async () => {
      log = await open()
      writer = log.writer()
      await writer.claim('ingest')
    })

    afterEach(async () => {
      await writer.close()
      await log.dispose()
    })

    const appendNumbers = async (count: number, partition = 0, perAppend = 7) => {
      for (let from = 0; from < count; from += perAppend) {
        const list = Array.from({ length: Math.min(perAppend, count - from) }, (_, index) =>
          record(from + index, partition),
        )
        await writer.append(list, String(from + list.length))
      }
    }

    test('lists the partitions of its topic and assigns all of them to its only member', async () => {
      const assigned: number[] = []
      const membership = await log.source.join({
        onAssign: (partitions) => assigned.push(...partitions),
        onRevoke: async () => undefined,
      })
      expect(await log.source.partitions()).toEqual([0, 1, 2])
      expect(assigned).toEqual([0, 1, 2])
      membership.reportProgress(0, 0)
      await membership.leave()
    })

    test('gives records back in the order of their offsets, with no gap and no repeat', async () => {
      await appendNumbers(40)
      const records = await drain(log.source.reader(0))
      expect(records).toEqual(Array.from({ length: 40 }, (_, offset) => read(offset)))
    })

    test('reads from any offset, also one in the middle of a batch', async () => {
      await appendNumbers(23)
      const reader = log.source.reader(0)
      for (let offset = 0; offset <= 23; offset++) {
        reader.seek(offset)
        expect((await drain(reader)).map((found) => found.offset)).toEqual(range(offset, 23))
      }
    })

    test('a seek goes back as well as forth, also between two batches', async () => {
      await appendNumbers(30)
      const reader = log.source.reader(0)
      const view = new RecordView()
      for (const offset of [12, 3, 29, 0]) {
        reader.seek(offset)
        const batch = await reader.fetch({ maxBytes: 1, maxWaitMs: 0 })
        expect(batch?.read(view)).toBe(true)
        expect(view.offset).toBe(offset)
      }
    })

    test('nextOffset is where the next fetch goes on', async () => {
      await appendNumbers(30)
      const reader = log.source.reader(0)
      const view = new RecordView()
      let expected = 0
      for (let batch = await reader.fetch({ maxBytes: 1, maxWaitMs: 0 }); batch !== null; ) {
        expect(batch.partition).toBe(0)
        expect(batch.byteLength).toBeGreaterThan(0)
        while (batch.read(view)) expect(view.offset).toBe(expected++)
        expect(batch.nextOffset).toBe(expected)
        batch = await reader.fetch({ maxBytes: 1, maxWaitMs: 0 })
      }
      expect(expected).toBe(30)
    })

    test('hands over one batch even when it is larger than maxBytes, and no more than that', async () => {
      await writer.append([record(0), record(1)], 'a')
      await writer.append([record(2), record(3)], 'b')
      const batch = await log.source.reader(0).fetch({ maxBytes: 1, maxWaitMs: 0 })
      expect(batch?.nextOffset).toBe(2)
    })

    live('knows its bounds: nothing, then what was appended, then what is left', async () => {
      const reader = log.source.reader(0)
      expect(await reader.bounds()).toMatchObject({ earliest: 0, next: 0 })
      await appendNumbers(20)
      expect(await reader.bounds()).toMatchObject({ earliest: 0, next: 20 })
      await log.trim(0, 9)
      expect(await reader.bounds()).toMatchObject({ earliest: 9, next: 20 })
    })

    test('finds the first record at or after a time, whatever order the timestamps are in', async () => {
      const append = (timestamps: readonly number[], position: string) =>
        writer.append(
          timestamps.map((timestamp) => ({ partition: 0, timestamp, key: null, value: Buffer.from('x') })),
          position,
        )
      expect(await log.source.reader(0).offsetAt(0)).toBe(0)
      await append([100, 200, 150], 'a')
      await append([-1, 300], 'b')
      await append([250, 500], 'c')
      const reader = log.source.reader(0)
      const times = [0, 100, 101, 200, 201, 300, 301, 500, 501]
      const found: number[] = []
      for (const time of times) found.push(await reader.offsetAt(time))
      expect(found).toEqual([0, 0, 1, 1, 4, 4, 6, 6, 7])
      expect(await log.source.reader(1).offsetAt(100)).toBe(0)
    })

    live('a time of before what is left begins with what is left, also in the middle of a batch', async () => {
      await appendNumbers(21)
      await log.trim(0, 9)
      const reader = log.source.reader(0)
      expect(await reader.offsetAt(1_700_000_000_000)).toBe(9)
      expect(await reader.offsetAt(1_700_000_000_009)).toBe(9)
      expect(await reader.offsetAt(1_700_000_000_010)).toBe(10)
      await writer.append([{ partition: 0, timestamp: 1, key: null, value: null }], 'late')
      await log.trim(0, 21)
      // The newest record of the last batch but one was trimmed away with its batch.
      expect(await reader.offsetAt(2)).toBe(22)
      expect(await reader.offsetAt(1)).toBe(21)
    })

    live('a time whose record was trimmed out of a batch is looked for behind it', async () => {
      const timestamps = [900, 5, 6]
      await writer.append(
        timestamps.map((timestamp) => ({ partition: 0, timestamp, key: null, value: null })),
        'a',
      )
      await writer.append([{ partition: 0, timestamp: 950, key: null, value: null }], 'b')
      await log.trim(0, 1)
      const reader = log.source.reader(0)
      expect(await reader.offsetAt(800)).toBe(3)
      expect(await reader.offsetAt(6)).toBe(2)
    })

    test('looking for a time neither moves the reader nor ends the batch that it has lent', async () => {
      await appendNumbers(21)
      const reader = log.source.reader(0)
      const batch = await reader.fetch({ maxBytes: 1, maxWaitMs: 0 })
      const nextOffset = batch?.nextOffset ?? 0
      expect(await reader.offsetAt(1_700_000_000_018)).toBe(18)
      const view = new RecordView()
      const seen: ReadRecord[] = []
      while (batch?.read(view)) seen.push(copy(view))
      expect(seen).toEqual(range(0, nextOffset).map((offset) => read(offset)))
      expect((await drain(reader))[0]?.offset).toBe(nextOffset)
    })

    test('an empty partition gives nothing, at once when it may not wait', async () => {
      expect(await log.source.reader(1).fetch(AT_ONCE)).toBeNull()
    })

    test('null and empty differ, for keys and for values', async () => {
      const empty = Buffer.alloc(0)
      await writer.append(
        [
          { partition: 0, timestamp: 1, key: null, value: null },
          { partition: 0, timestamp: 2, key: empty, value: empty },
          { partition: 0, timestamp: 3, key: null, value: empty },
          { partition: 0, timestamp: 4, key: empty, value: null },
        ],
        'a',
      )
      expect((await drain(log.source.reader(0))).map(({ key, value }) => [key, value])).toEqual([
        [null, null],
        ['', ''],
        [null, ''],
        ['', null],
      ])
    })

    test('headers come back, in order, values that are null or binary included', async () => {
      const binary = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
      const many = Array.from({ length: 300 }, (_, index) => ({ key: `n${index}`, value: Buffer.from([index & 0xff]) }))
      const lists: RecordHeader[][] = [
        [],
        [
          { key: 'binary', value: binary },
          { key: 'null', value: null },
          { key: '', value: Buffer.alloc(0) },
        ],
        [],
        [
          { key: 'twice', value: Buffer.from('first') },
          { key: 'twice', value: null },
          { key: 'toString', value: Buffer.from('é') },
          { key: '__proto__', value: Buffer.from('\u{1F600}') },
        ],
        many,
      ]
      const odd: OutgoingRecord = {
        ...{ partition: 0, timestamp: 1, key: null, value: null },
        headers: [{ key: 'alone', value: binary }],
      }
      const sent = [...lists.map((headers, number) => ({ ...record(number), headers })), odd, record(6)]
      await writer.append(sent, 'a')
      const reader = log.source.reader(0)
      const view = new RecordView()
      const seen: unknown[] = []
      for (let batch = await reader.fetch(AT_ONCE); batch !== null; batch = await reader.fetch(AT_ONCE)) {
        while (batch.read(view)) seen.push({ ...copy(view), headers: view.headers() })
      }
      const wanted = lists.map((headers, number) => ({ ...read(number), headers }))
      const last = { ...read(6), headers: [] }
      expect(seen).toEqual([...wanted, { offset: 5, timestamp: 1, key: null, value: null, headers: odd.headers }, last])
    })

    test('a record of a megabyte comes back as it was, between two small ones', async () => {
      const large = Buffer.alloc(1 << 20, 'millrace')
      await writer.append([record(0), { partition: 0, timestamp: 1, key: null, value: large }, record(2)], 'a')
      const values = (await drain(log.source.reader(0))).map((found) => found.value)
      expect(values).toEqual(['value 0', large.toString(), 'value 2'])
    })

    test('keeps every timestamp: none, before 1970, far ahead, and out of order', async () => {
      const timestamps = [1_700_000_000_000, -1, 0, 32_503_680_000_000, -86_400_000, 1_699_999_999_999]
      await writer.append(
        timestamps.map((timestamp) => ({ partition: 0, timestamp, key: null, value: null })),
        'a',
      )
      expect((await drain(log.source.reader(0))).map((found) => found.timestamp)).toEqual(timestamps)
    })

    live('a reader that has caught up waits, and wakes for the next record', async () => {
      await appendNumbers(3)
      const reader = log.source.reader(0)
      await drain(reader)
      const waiting = reader.fetch(FOR_LONG)
      await writer.append([record(3)], 'b')
      const batch = await waiting
      const view = new RecordView()
      expect(batch?.read(view)).toBe(true)
      expect(view.offset).toBe(3)
    })

    live('a reader wakes for what another process appends', async () => {
      const other = (await log.reopen()).writer()
      await other.claim('another')
      const waiting = log.source.reader(0).fetch(FOR_LONG)
      await other.append([record(0)], 'a')
      expect((await waiting)?.nextOffset).toBe(1)
      await other.close()
    })

    live('an abort ends the wait with null, and the reader goes on afterwards', async () => {
      const reader = log.source.reader(0)
      const abort = new AbortController()
      const waiting = reader.fetch({ ...FOR_LONG, signal: abort.signal })
      abort.abort()
      expect(await waiting).toBeNull()
      expect(await reader.fetch({ ...FOR_LONG, signal: abort.signal })).toBeNull()
      await appendNumbers(2)
      expect(await drain(reader)).toEqual([read(0), read(1)])
    })

    live('what comes while one wait after another is ended comes once, and in order', async () => {
      const reader = log.source.reader(0)
      const offsets: number[] = []
      let isOver = false
      const appending = appendNumbers(60, 0, 1).then(() => {
        isOver = true
      })
      for (let turn = 0; !isOver || offsets.length < 60; turn += 1) {
        const signal = AbortSignal.timeout(turn % 4)
        const batch = await reader.fetch({ ...FOR_LONG, signal })
        const view = new RecordView()
        while (batch?.read(view) === true) offsets.push(view.offset)
      }
      await appending
      expect(offsets).toEqual(Array.from({ length: 60 }, (_, offset) => offset))
    })

    test('closing a reader ends its wait with null', async () => {
      const reader = log.source.reader(0)
      const waiting = reader.fetch(FOR_LONG)
      await reader.close()
      expect(await waiting).toBeNull()
    })

    live('an offset that is gone is an error with what is left and what to do', async () => {
      await appendNumbers(20)
      await log.trim(0, 9)
      const reader = log.source.reader(0)
      reader.seek(8)
      const error = await reader.fetch(AT_ONCE).catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(OffsetOutOfRangeError)
      expect(error).toMatchObject({ topic: log.source.topic, partition: 0, offset: 8 })
      expect((error as Error).message).toMatch(/9 to 20.*seek to 9/s)
      reader.seek(9)
      expect((await drain(reader)).map((found) => found.offset)).toEqual(range(9, 20))
    })

    test('an offset that never was is an error, and the next offset is not', async () => {
      await appendNumbers(5)
      const reader = log.source.reader(0)
      reader.seek(6)
      await expect(reader.fetch(AT_ONCE)).rejects.toBeInstanceOf(OffsetOutOfRangeError)
      reader.seek(5)
      expect(await reader.fetch(AT_ONCE)).toBeNull()
    })

    live('a batch stays whole until the next fetch of its reader, whatever others do meanwhile', async () => {
      await appendNumbers(10)
      const reader = log.source.reader(0)
      const batch = await reader.fetch(AT_ONCE)
      await appendNumbers(10)
      await drain(log.source.reader(0))
      await reader.bounds()
      await log.trim(0, 10)
      const view = new RecordView()
      const seen: ReadRecord[] = []
      while (batch?.read(view)) seen.push(copy(view))
      expect(seen).toEqual(range(0, 10).map((offset) => read(offset)))
    })

    test('two readers of a partition do not disturb each other', async () => {
      await appendNumbers(20)
      const [left, right] = [log.source.reader(0), log.source.reader(0)]
      right.seek(10)
      const batch = await left.fetch({ maxBytes: 1, maxWaitMs: 0 })
      expect((await drain(right)).length).toBe(10)
      const view = new RecordView()
      expect(batch?.read(view)).toBe(true)
      expect(copy(view)).toEqual(read(0))
    })

    test('one append reaches several partitions, each in its own order', async () => {
      const list = range(0, 30).map((number) => record(number, number % 3))
      await writer.append(list, 'a')
      for (const partition of [0, 1, 2]) {
        const values = (await drain(log.source.reader(partition))).map((found) => found.value)
        expect(values).toEqual(list.filter((sent) => sent.partition === partition).map((sent) => String(sent.value)))
      }
    })

    live('an append that fails for one record appends none, and keeps the position', async () => {
      await writer.append([record(0)], 'kept')
      await expect(writer.append([record(1), record(2, 3)], 'lost')).rejects.toBeInstanceOf(ConfigurationError)
      await expect(
        writer.append([record(1, 1), { partition: 0, timestamp: 0.5, key: null, value: null }], 'lost'),
      ).rejects.toBeInstanceOf(ConfigurationError)
      expect((await drain(log.source.reader(0))).length).toBe(1)
      expect((await drain(log.source.reader(1))).length).toBe(0)
      expect(await log.writer().claim('ingest')).toEqual({ position: 'kept' })
    })

    live('an append without records moves the position alone', async () => {
      await writer.append([], 'further')
      expect(await log.source.reader(0).bounds()).toMatchObject({ earliest: 0, next: 0 })
      expect(await log.writer().claim('ingest')).toEqual({ position: 'further' })
    })

    test('a producer is new once, and from then on where its last append left it', async () => {
      const other = log.writer()
      expect(await other.claim('new')).toEqual({ position: null })
      await other.append([record(0)], 'one')
      await other.append([record(1)], 'two')
      expect(await log.writer().claim('new')).toEqual({ position: 'two' })
      await other.close()
    })

    test('a writer whose producer was claimed by another appends nothing more', async () => {
      await writer.append([record(0)], 'one')
      const heir = log.writer()
      await heir.claim('ingest')
      await expect(writer.append([record(1)], 'zombie')).rejects.toBeInstanceOf(TaskFencedError)
      await heir.append([record(1)], 'two')
      await expect(writer.append([record(2)], 'zombie')).rejects.toBeInstanceOf(TaskFencedError)
      expect(await drain(log.source.reader(0))).toEqual([read(0), read(1)])
      expect(await log.writer().claim('ingest')).toEqual({ position: 'two' })
      await heir.close()
    })

    test('producers of different names do not fence each other', async () => {
      const other = log.writer()
      await other.claim('another')
      await writer.append([record(0)], 'one')
      await other.append([record(1)], 'one')
      await writer.append([record(2)], 'two')
      expect((await drain(log.source.reader(0))).length).toBe(3)
      await other.close()
    })

    test('an append while another is under way is refused as that, and the other is stored', async () => {
      const first = writer.append([record(0)], 'first')
      await expect(writer.append([record(1)], 'second')).rejects.toThrow(/another append of it is under way/)
      await first
      await writer.append([record(2)], 'third')
      expect(await writer.claim('ingest')).toEqual({ position: 'third' })
      expect(await log.source.reader(0).bounds()).toMatchObject({ earliest: 0 })
    })

    test('an append before any claim is refused', async () => {
      await expect(log.writer().append([record(0)], 'one')).rejects.toBeInstanceOf(ConfigurationError)
    })

    live('records and position are there for a process that opens the log later', async () => {
      await appendNumbers(12)
      await log.trim(0, 4)
      const later = await log.reopen()
      expect(await later.writer().claim('ingest')).toEqual({ position: '12' })
      const reader = later.source.reader(0)
      reader.seek(4)
      expect((await drain(reader)).map((found) => found.offset)).toEqual(range(4, 12))
      expect(await reader.bounds()).toMatchObject({ earliest: 4, next: 12 })
    })

    live('trimming all of a partition leaves its next offset where it was', async () => {
      await appendNumbers(12)
      await log.trim(0, 12)
      const reader = log.source.reader(0)
      expect(await reader.bounds()).toMatchObject({ earliest: 12, next: 12 })
      reader.seek(12)
      expect(await reader.fetch(AT_ONCE)).toBeNull()
      await writer.append([record(12)], 'b')
      expect(await drain(reader)).toEqual([read(12)])
    })

    live('a trim neither brings records back nor passes the end', async () => {
      await appendNumbers(12)
      await log.trim(0, 8)
      await log.trim(0, 3)
      expect(await log.source.reader(0).bounds()).toMatchObject({ earliest: 8, next: 12 })
      await log.trim(0, 99)
      expect(await log.source.reader(0).bounds()).toMatchObject({ earliest: 12, next: 12 })
    })
  })
}

async function drain(reader: LogReader): Promise<ReadRecord[]> {
  const view = new RecordView()
  const records: ReadRecord[] = []
  for (let batch = await reader.fetch(AT_ONCE); batch !== null; batch = await reader.fetch(AT_ONCE)) {
    while (batch.read(view)) records.push(copy(view))
  }
  return records
}

function copy(view: RecordView): ReadRecord {
  return { offset: view.offset, timestamp: view.timestamp, key: view.keyText(), value: view.valueText() }
}

function record(number: number, partition = 0): OutgoingRecord {
  const value = Buffer.from(`value ${number}`)
  return { partition, timestamp: 1_700_000_000_000 + number, key: Buffer.from(`key ${number}`), value }
}

function read(offset: number): ReadRecord {
  return { offset, timestamp: 1_700_000_000_000 + offset, key: `key ${offset}`, value: `value ${offset}` }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}
