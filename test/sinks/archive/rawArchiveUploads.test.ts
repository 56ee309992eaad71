import { zstdCompressSync } from 'node:zlib'
import { describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/runtime/clock.ts'
import { DeterminismError, OperatorError, RetryableError } from '../../../src/runtime/errors.ts'
import { FrameCompressor } from '../../../src/sinks/archive/frameCompressor.ts'
import { rawArchive } from '../../../src/sinks/archive/rawArchive.ts'
import { unpackZstdPieces } from '../../../src/sinks/archive/zstdPieces.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'
import { sha256Of } from '../../contract/objectStore.ts'
import { appendAll, forever, openAt, range, record, simulated } from './records.ts'

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
    const first = new MemoryObjectStore()
    const before = openAt(simulated(first, { maxRecords: 2 }), 0, clock)
    appendAll(before, range(0, 2))
    await before.finish(forever)
    const [key] = first.objects.keys()
    store.objects.set(key!, zstdCompressSync('something else\n'))
    const writer = openAt(simulated(store, { maxRecords: 2 }), 0, clock)
    appendAll(writer, range(0, 2))
    await clock.run(writer.finish(forever))
    await clock.run(writer.waitForRoom(forever))
    expect(() => writer.take()).toThrow(DeterminismError)
    expect(() => writer.take()).toThrow('offsets 0 to 1')
  })

  test('that meet the same lines, compressed by another release, take what is there', async () => {
    const first = new MemoryObjectStore()
    const writer = openAt(simulated(first, { maxRecords: 2 }), 0, new VirtualClock())
    appendAll(writer, range(0, 2))
    await writer.finish(forever)
    const [key, body] = [...first.objects][0]!
    const other = Buffer.concat([zstdCompressSync(unpackZstdPieces(body)), body.subarray(-16)])
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

  test('is bounded before the packing too: a writer is behind with some pieces of lines on their way, and catches up', async () => {
    const writer = openAt(rawArchive({ store: new MemoryObjectStore() }), 0, systemClock)
    const wide = (offset: number, bytes: number) => record(offset, 0, 'a', `{"v":"${'x'.repeat(bytes)}"}`)
    expect(writer.isBehind).toBe(false)
    let appended = 0
    while (!writer.isBehind) appendAll(writer, [wide(appended++, 20_000)])
    expect(appended).toBeGreaterThan(40)
    expect(appended).toBeLessThan(100)
    await writer.catchUp(forever)
    expect(writer.isBehind).toBe(false)
    // Lines that outgrow a piece take buffers of their own, and must not be taken for pieces on their way.
    for (let i = 0; i < 8; i++) {
      appendAll(writer, [wide(appended++, 10), wide(appended++, 900_000)])
      await writer.catchUp(forever)
    }
    await writer.finish(forever)
    expect(writer.isBehind).toBe(false)
    expect(writer.take().nextOffset).toBe(appended)
    expect(writer.heldBytes).toBe(0)
  })

  test('a wait for the packing ends when the signal fires, and when the writer is abandoned', async () => {
    const writer = openAt(rawArchive({ store: new MemoryObjectStore() }), 0, systemClock)
    const value = `{"v":"${'x'.repeat(20_000)}"}`
    for (let offset = 0; !writer.isBehind; offset++) appendAll(writer, [record(offset, 0, 'a', value)])
    const stop = new AbortController()
    stop.abort()
    await writer.catchUp(stop.signal)
    expect(writer.isBehind).toBe(true)
    const waiting = writer.catchUp(forever)
    writer.abandon()
    await waiting
  })

  test('a wait for the packing ends when packing has failed, which is thrown before the object is full', async () => {
    const compress = vi.spyOn(FrameCompressor.prototype, 'compress').mockRejectedValueOnce(new Error('no memory'))
    try {
      const writer = openAt(rawArchive({ store: new MemoryObjectStore() }), 0, systemClock)
      const value = `{"v":"${'x'.repeat(20_000)}"}`
      for (let offset = 0; offset < 200; offset++) appendAll(writer, [record(offset, 0, 'a', value)])
      await writer.catchUp(forever)
      expect(() => writer.take()).toThrow('no memory')
      writer.abandon()
    } finally {
      compress.mockRestore()
    }
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
