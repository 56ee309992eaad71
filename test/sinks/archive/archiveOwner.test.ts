import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import { claimArchive, markerKey, readMarker } from '../../../src/sinks/archive/archiveOwner.ts'
import { directoryStore } from '../../../src/sinks/objects/directoryStore.ts'
import { probeStore } from '../../../src/sinks/objects/probeStore.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { sha256Of } from '../../contract/objectStore.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-owner-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ownerOf = (id: string) => ({ id, database: `database ${id}`, schema: 'public', pipeline: 'p' })
const none = async () => new Set<string>()
const object = (topic: string, first: number) =>
  `topic=${topic}/date=2024-01-01/partition=0/${String(first).padStart(20, '0')}-${String(first).padStart(20, '0')}.jsonl.zst`

for (const [name, store] of [
  ['a directory', directoryStore(folder)],
  ['memory', new MemoryObjectStore()],
] as const) {
  describe(`the archive of a topic in ${name}`, () => {
    const put = (key: string) => store.put(key, Buffer.from(key), sha256Of(Buffer.from(key)))

    test('has one owner, who may come again', async () => {
      const place = { store, keyPrefix: '', topic: 'one' }
      expect(await readMarker(place)).toBeNull()
      await claimArchive(place, ownerOf('a'), none)
      expect((await claimArchive(place, ownerOf('a'), none)).owner).toEqual(ownerOf('a'))
      await expect(claimArchive(place, ownerOf('b'), none)).rejects.toThrow(/belongs to another database \(database a/)
      expect((await claimArchive({ ...place, keyPrefix: 'x/' }, ownerOf('b'), none)).owner.id).toBe('b')
    })

    test('has one owner also where several come at once', async () => {
      const place = { store, keyPrefix: '', topic: 'raced' }
      const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((id) => claimArchive(place, ownerOf(id), none)))
      const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.owner.id] : []))
      expect(won).toHaveLength(1)
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(ConfigurationError)
      expect((await readMarker(place))?.owner.id).toBe(won[0])
    })

    test('of an earlier version goes to whose manifest names some of it; the rest is noted', async () => {
      const place = { store, keyPrefix: '', topic: 'old' }
      for (const first of [1, 2, 3]) await put(object('old', first))
      await expect(claimArchive(place, ownerOf('a'), none)).rejects.toThrow('this database has never archived')
      expect(await readMarker(place)).toBeNull()
      const known = async (keys: readonly string[]) => new Set(keys.filter((key) => key === object('old', 2)))
      expect((await claimArchive(place, ownerOf('b'), known)).spared).toEqual(
        new Set([object('old', 1), object('old', 3)]),
      )
    })

    test('with a marker that nobody can read is left alone', async () => {
      await put(markerKey('', 'odd'))
      const place = { store, keyPrefix: '', topic: 'odd' }
      await expect(claimArchive(place, ownerOf('a'), none)).rejects.toThrow(ConfigurationError)
    })

    test('can be probed again and again', async () => {
      await probeStore(store)
      await probeStore(store)
    })
  })
}
