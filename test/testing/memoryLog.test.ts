import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { RecordView } from '../../src/runtime/log/record.ts'
import { MemoryLog } from '../../src/testing/memoryLog.ts'
import { describeLog } from '../contract/log.ts'
import { describeMergedInputs } from '../contract/mergedInputs.ts'

describeLog('memory log', async () => {
  const log = new MemoryLog({ partitions: 3, batchRecords: 5 })
  return {
    source: log,
    writer: () => log.writer(),
    trim: async (partition, beforeOffset) => log.trim(partition, beforeOffset),
    reopen: async () => ({ source: log, writer: () => log.writer() }),
    dispose: () => log.close(),
  }
})

let topics = 0
describeMergedInputs(
  'memory log',
  async () => {
    const source = new MemoryLog({ topic: `topic-${++topics}`, partitions: 3, batchRecords: 5 })
    return { source, writer: source.writer(), dispose: () => source.close() }
  },
  10,
)

describe('memory log as a test kit', () => {
  test('takes plain text and gives the offsets', () => {
    const log = new MemoryLog({ partitions: 2 })
    expect(log.add({ value: 'a' }, { value: 'b', partition: 1 }, { value: 'c' })).toEqual([0, 0, 1])
    expect(log.add({ value: 'd' })).toEqual([2])
  })

  test('hands over at most as many records as fetchRecords says, and goes on behind them', async () => {
    const sizes = [1, 4, 2, 100]
    const log = new MemoryLog({ batchRecords: 3, fetchRecords: () => sizes.shift() ?? 1 })
    log.add(...Array.from({ length: 10 }, (_, index) => ({ value: `${index}` })))
    const reader = log.reader(0)
    const view = new RecordView()
    const seen: string[][] = []
    for (let batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 0 }); batch !== null; ) {
      const values: string[] = []
      while (batch.read(view)) values.push(String(view.valueText()))
      seen.push(values)
      batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 0 })
    }
    expect(seen).toEqual([['0'], ['1', '2', '3', '4'], ['5', '6'], ['7', '8', '9']])
  })

  test('leaves offsets without a record, in the middle and at the end, and a reader comes past them', async () => {
    const log = new MemoryLog({ batchRecords: 2 })
    log.add({ value: 'a' }, { value: 'b' })
    log.skip(0, 3)
    expect(log.add({ value: 'c' })).toEqual([5])
    log.skip(0)
    const reader = log.reader(0)
    expect(await reader.bounds()).toMatchObject({ earliest: 0, next: 7 })
    const view = new RecordView()
    const offsetsFrom = async (offset: number) => {
      reader.seek(offset)
      const batch = await reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 0 })
      const offsets: number[] = []
      while (batch?.read(view) === true) offsets.push(view.offset)
      return [offsets, batch?.nextOffset]
    }
    expect(await offsetsFrom(0)).toEqual([[0, 1, 5], 7])
    expect(await offsetsFrom(3)).toEqual([[5], 7])
    expect(await offsetsFrom(6)).toEqual([[], 7])
    expect(() => log.skip(0, 0)).toThrow(ConfigurationError)
  })

  test('bytes that were kept beyond the next fetch are overwritten', async () => {
    const log = new MemoryLog()
    log.add({ value: 'kept too long' })
    const reader = log.reader(0)
    const view = new RecordView()
    const batch = await reader.fetch({ maxBytes: 1, maxWaitMs: 0 })
    expect(batch?.read(view)).toBe(true)
    const copied = view.valueCopy()
    log.add({ value: 'next' })
    await reader.fetch({ maxBytes: 1, maxWaitMs: 0 })
    expect(copied?.toString()).toBe('kept too long')
    expect(view.valueText()).not.toBe('kept too long')
  })

  test('gets more partitions, which are empty, beside what it holds', async () => {
    const log = new MemoryLog({ partitions: 2 })
    log.add({ value: 'a' }, { value: 'b', partition: 1 })
    log.growTo(4)
    expect(await log.partitions()).toEqual([0, 1, 2, 3])
    const bounds = await Promise.all([0, 1, 2, 3].map((partition) => log.reader(partition).bounds()))
    expect(bounds.map(({ next }) => next)).toEqual([1, 1, 0, 0])
    expect(log.add({ value: 'c', partition: 3 })).toEqual([0])
    for (const partitions of [3, 4.5]) expect(() => log.growTo(partitions)).toThrow(/can only grow, from 4 up/)
  })

  test('waits by the clock that it was given', async () => {
    let now = 0
    const sleeps: number[] = []
    const sleep = async (ms: number) => {
      now += ms
      sleeps.push(ms)
    }
    const clock = { now: () => now, sleep }
    const log = new MemoryLog({ clock })
    expect(await log.reader(0).fetch({ maxBytes: 1, maxWaitMs: 250 })).toBeNull()
    expect(sleeps).toEqual([250])
  })

  test('has at least one partition, and no others than it says', () => {
    expect(() => new MemoryLog({ partitions: 0 })).toThrow(ConfigurationError)
    expect(() => new MemoryLog({ partitions: 2 }).reader(2)).toThrow('partitions 0 to 1')
  })
})
