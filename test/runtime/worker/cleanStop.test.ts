import { map } from 'rxjs/operators'
import { describe, expect, it } from 'vitest'
import { RetryableError } from '../../../src/runtime/errors.ts'
import type { Codec } from '../../../src/runtime/log/codec.ts'
import type { ObjectStore } from '../../../src/runtime/objectStore.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import type { StopMode } from '../../../src/runtime/worker/stopMode.ts'
import { Worker } from '../../../src/runtime/worker/worker.ts'
import { rawArchive } from '../../../src/sinks/archive/rawArchive.ts'
import { readArchiveObject } from '../../../src/sinks/archive/readArchiveObject.ts'
import { toArchive } from '../../../src/sinks/toArchive.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'

const text: Codec<string> = { decode: (record) => record.valueText() ?? undefined }
const seen: AppendTable<{ readonly value: string }> = {
  mode: 'append',
  name: 'seen',
  columns: [{ name: 'value', type: 'text', of: ({ value }) => value }],
}
const pipeline = definePipeline({
  name: 'kept',
  inputs: { a: { topic: 'a', codec: text } },
  build: ({ a }) => ({ raw: toArchive(a), seen: toPostgres(a.pipe(map((value) => ({ value }))), seen) }),
})

function world() {
  const clock = new VirtualClock()
  const log = new MemoryLog({ topic: 'a', partitions: 1, clock })
  const store = new MemoryCheckpointStore()
  const objects = new MemoryObjectStore()
  let next = 0
  const add = (count: number) => {
    for (let left = count; left > 0; left--) log.add({ value: String(next++), timestamp: 0 })
  }
  /** One life, which has read what there is when it is asked to end. */
  async function live(mode: StopMode, kept: ObjectStore = objects): Promise<number> {
    const archive = rawArchive({ store: kept, compression: 'inline', random: () => 0 })
    const worker = new Worker({ pipeline, source: log, store, archive, clock })
    const running = worker.run()
    await clock.advance(10_000)
    worker.stop(mode)
    const askedAt = clock.now()
    let endedAt = Number.NaN
    const ended = running.then(() => {
      endedAt = clock.now()
    })
    await clock.advance(60_000)
    await ended
    return endedAt - askedAt
  }
  const archived = () =>
    store
      .objects()
      .flatMap(({ key }) => [...readArchiveObject(objects.objects.get(key) ?? new Uint8Array())])
      .map(({ value }) => String(value))
  const values = () => store.rows('seen').map(({ value }) => value)
  return { add, live, archived, values, store, objects }
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => String(index))

describe('a clean stop', () => {
  it('leaves everything that was processed in objects that readers have, and the next start goes on behind them', async () => {
    const { add, live, archived, values, store } = world()
    for (const total of [3, 5, 9]) {
      add(total - values().length)
      expect(await live('settle')).toBeLessThan(1_000)
      expect(values()).toEqual(upTo(total))
      expect(archived()).toEqual(upTo(total))
      expect(store.state[0]?.saved).toMatchObject({ nextOffset: total, archiveNextOffset: total })
    }
    await live('settle')
    expect(store.objects().map(({ firstOffset, lastOffset }) => [firstOffset, lastOffset])).toEqual([
      [0, 2],
      [3, 4],
      [5, 8],
    ])
  })

  it('does not wait for a store that is away: the results are committed, and the next start makes the object', async () => {
    const { add, live, archived, values, objects } = world()
    const away: ObjectStore = {
      location: 'memory:',
      put: () => Promise.reject(new RetryableError('away')),
      get: (key) => objects.get(key),
      list: (prefix) => objects.list(prefix),
      delete: (key) => objects.delete(key),
      close: () => objects.close(),
    }
    add(4)
    expect(await live('settle', away)).toBeLessThanOrEqual(6_000)
    expect(values()).toEqual(upTo(4))
    expect(archived()).toEqual([])
    await live('settle')
    expect(archived()).toEqual(upTo(4))
    expect(values()).toEqual(upTo(4))
  })

  it('that is urgent, as where a partition goes to another worker, leaves objects to where the records end them', async () => {
    const { add, live, archived, values, store } = world()
    add(4)
    expect(await live('now')).toBeLessThan(1_000)
    expect(values()).toEqual(upTo(4))
    expect(archived()).toEqual([])
    add(2)
    await live('drain')
    expect(store.objects().map(({ firstOffset, lastOffset }) => [firstOffset, lastOffset])).toEqual([[0, 5]])
  })
})
