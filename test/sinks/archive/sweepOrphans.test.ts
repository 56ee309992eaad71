import { expect, test } from 'vitest'
import { archiveKey, parseArchiveKey } from '../../../src/sinks/archive/archiveKey.ts'
import { sweepOrphans } from '../../../src/sinks/archive/sweepOrphans.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { sha256Of } from '../../contract/objectStore.ts'

const keyOf = (topic: string, partition: number, firstOffset: number, lastOffset: number) =>
  `bronze/${archiveKey({ topic, date: '2024-08-09', partition, firstOffset, lastOffset })}`

test('only objects that no checkpoint can name any more are swept', async () => {
  const store = new MemoryObjectStore()
  const kept = [
    keyOf('t', 0, 0, 9),
    keyOf('t', 0, 10, 19),
    keyOf('t', 0, 20, 25),
    keyOf('t', 1, 0, 5),
    keyOf('t2', 0, 0, 4),
    'bronze/topic=t/notes.txt',
  ]
  const orphan = keyOf('t', 0, 0, 7)
  for (const key of [...kept, orphan]) await store.put(key, Buffer.from('x'), sha256Of(Buffer.from('x')))
  const options = {
    store,
    topic: 't',
    keyPrefix: 'bronze/',
    nextOffsets: new Map([[0, 20]]),
    manifestKeys: new Set([keyOf('t', 0, 0, 9), keyOf('t', 0, 10, 19)]),
  }
  expect(await sweepOrphans({ ...options, dryRun: true })).toEqual([orphan])
  expect(store.objects.size).toBe(kept.length + 1)
  expect(await sweepOrphans(options)).toEqual([orphan])
  expect([...store.objects.keys()].sort()).toEqual([...kept].sort())
})

test('a key says what it was made of', () => {
  const parts = { topic: 'a.b-c_d', date: '1970-01-01', partition: 12, firstOffset: 0, lastOffset: 123_456_789 }
  expect(parseArchiveKey(archiveKey(parts))).toEqual(parts)
  expect(parseArchiveKey(`some/prefix/${archiveKey(parts)}`)).toEqual(parts)
  expect(parseArchiveKey('topic=a/date=1970-01-01/partition=0/1-2.jsonl.zst')).toBeNull()
})
