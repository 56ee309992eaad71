import { describe, expect, it } from 'vitest'
import { ArchiveLog } from '../../src/replay/archiveLog.ts'
import type { SkippedOffsets } from '../../src/replay/archiveManifest.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { CorruptRecordError } from '../../src/runtime/errors.ts'
import type { LogWriter } from '../../src/runtime/log/log.ts'
import { RecordView } from '../../src/runtime/log/record.ts'
import type { ArchiveWriter } from '../../src/runtime/store/archive.ts'
import type { ArchivedObject } from '../../src/runtime/store/checkpoint.ts'
import { rawArchive } from '../../src/sinks/archive/rawArchive.ts'
import { MemoryLog } from '../../src/testing/memoryLog.ts'
import { MemoryObjectStore } from '../../src/testing/memoryObjectStore.ts'
import { describeBoundedLog } from '../contract/log.ts'
import { memoryManifest } from '../support/memoryManifest.ts'

const never = new AbortController().signal

/** A log whose records are archived as soon as they are appended, an object an append. */
function archived(partitions = 3, skipped: readonly SkippedOffsets[] = []) {
  const log = new MemoryLog({ topic: 'trades', partitions })
  const store = new MemoryObjectStore()
  const objects = Array.from({ length: partitions }, (): ArchivedObject[] => [])
  const writers = objects.map(
    (_, partition): ArchiveWriter =>
      rawArchive({ store, compression: 'inline' }).open(
        { pipeline: 'kept', topic: 'trades', partition },
        0,
        systemClock,
      ),
  )
  const keep = async () => {
    const view = new RecordView()
    for (const [partition, writer] of writers.entries()) {
      const reader = log.reader(partition)
      reader.seek((objects[partition]?.at(-1)?.lastOffset ?? -1) + 1)
      const fetch = () => reader.fetch({ maxBytes: 1 << 30, maxWaitMs: 0 })
      for (let batch = await fetch(); batch !== null; batch = await fetch())
        while (batch.read(view)) writer.append(view)
      await writer.finish(never)
      objects[partition]?.push(...writer.take().objects)
    }
  }
  const writer = (): LogWriter => {
    const inner = log.writer()
    return {
      claim: (producer) => inner.claim(producer),
      append: async (records, position) => {
        await inner.append(records, position)
        await keep()
      },
      close: () => inner.close(),
    }
  }
  const manifest = memoryManifest(
    { pipeline: 'kept', topic: 'trades' },
    partitions,
    (partition) => objects[partition] ?? [],
    skipped,
  )
  return { log, store, writer, objects, keep, open: () => new ArchiveLog({ manifest, store }) }
}

describeBoundedLog('an archive', async () => {
  const { log, writer, open } = archived()
  return {
    // It ends where it was opened, so each reader of the suite opens it anew.
    source: {
      topic: log.topic,
      partitions: () => open().partitions(),
      join: (listener) => open().join(listener),
      reader: (partition) => open().reader(partition),
      close: async () => {},
    },
    writer,
    trim: async () => {},
    reopen: async () => ({ source: open(), writer }),
    dispose: () => log.close(),
  }
})

describe('an archive as a log', () => {
  async function offsetsOf(log: ArchiveLog): Promise<number[]> {
    const reader = log.reader(0)
    const view = new RecordView()
    const offsets: number[] = []
    const fetch = () => reader.fetch({ maxBytes: 1 << 20, maxWaitMs: 0 })
    for (let batch = await fetch(); batch !== null; batch = await fetch())
      while (batch.read(view)) offsets.push(view.offset)
    return offsets
  }

  it('ends where it was opened, whatever is archived later', async () => {
    const { log, keep, open } = archived(1)
    log.add({ value: 'a' }, { value: 'b' })
    await keep()
    const opened = open()
    expect(await offsetsOf(opened)).toEqual([0, 1])
    log.add({ value: 'c' })
    await keep()
    expect(await offsetsOf(opened)).toEqual([0, 1])
    expect(await offsetsOf(open())).toEqual([0, 1, 2])
  })

  it('leaves out what a person has had the pipeline leave out', async () => {
    const { log, keep, open } = archived(1, [{ fromOffset: 2, toOffset: 5 }])
    log.add(...Array.from({ length: 8 }, (_, i) => ({ value: `${i}` })))
    await keep()
    expect(await offsetsOf(open())).toEqual([0, 1, 5, 6, 7])
  })

  it('hands over pieces of some 256 KiB, and a record that is longer than one whole', async () => {
    const { log, keep, open } = archived(1)
    log.add(...Array.from({ length: 3_000 }, (_, i) => ({ value: `{"t":${i},"x":"${'y'.repeat(300)}"}` })))
    log.add({ value: Buffer.alloc(3_000_000, 7) }, { value: `{"x":"${'y'.repeat(2_000_000)}"}` }, { value: '{}' })
    await keep()
    const reader = open().reader(0)
    const view = new RecordView()
    const lengths: number[] = []
    let largest = 0
    for (let batch = await reader.fetch({ maxBytes: 1, maxWaitMs: 0 }); batch !== null; ) {
      let count = 0
      while (batch.read(view)) {
        count += 1
        lengths[view.offset] = view.valueLength
      }
      if (view.offset < 2_900) largest = Math.max(largest, count)
      batch = await reader.fetch({ maxBytes: 1, maxWaitMs: 0 })
    }
    expect(lengths.slice(-3)).toEqual([3_000_000, 2_000_008, 2])
    expect(lengths).toHaveLength(3_003)
    expect(largest).toBeLessThan(1_000)
  })

  it('fetches the next object while one is read, and tells of one that is gone where its turn comes', async () => {
    const { log, keep, open, store, objects } = archived(1)
    for (const value of ['a', 'b', 'c']) {
      log.add({ value })
      await keep()
    }
    const keys = objects[0]?.map(({ key }) => key) ?? []
    const asked: number[] = []
    const get = store.get.bind(store)
    store.get = (key) => {
      asked.push(keys.indexOf(key))
      return get(key)
    }
    const reader = open().reader(0)
    const fetch = () => reader.fetch({ maxBytes: 1, maxWaitMs: 0 })
    expect(await fetch()).not.toBeNull()
    await Promise.resolve()
    expect(asked).toEqual([0, 1])
    expect(await fetch()).not.toBeNull()
    store.objects.delete(keys[2] as string)
    // It was fetched before it was deleted.
    expect((await fetch())?.nextOffset).toBe(3)
    expect(asked).toEqual([0, 1, 2])
    expect(await fetch()).toBeNull()
    // Whoever goes elsewhere is given nothing of what was fetched for another place.
    reader.seek(1)
    expect((await fetch())?.nextOffset).toBe(2)
    await expect(fetch()).rejects.toThrow(keys[2])
    await expect(fetch()).rejects.toThrow(CorruptRecordError)
  })

  it('refuses an object that is gone or not as it was written, and says where it is', async () => {
    const { log, keep, open, store, objects } = archived(1)
    log.add({ value: 'a' })
    await keep()
    const key = objects[0]?.[0]?.key ?? ''
    const whole = store.objects.get(key) as Buffer
    store.objects.set(key, Buffer.from(whole.toString('latin1').replace(/.$/, '!'), 'latin1'))
    await expect(offsetsOf(open())).rejects.toThrow(/is not as it was written.*backup/)
    store.objects.delete(key)
    await expect(offsetsOf(open())).rejects.toThrow(CorruptRecordError)
    await expect(offsetsOf(open())).rejects.toThrow(key)
  })
})
