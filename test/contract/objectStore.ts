import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigurationError, DeterminismError } from '../../src/runtime/errors.ts'
import type { ObjectStore } from '../../src/runtime/objectStore.ts'

export interface ObjectStoreUnderTest {
  readonly store: ObjectStore
  /** How many objects the paged listing is tried with; beyond 1,000 an S3 listing has a second page. */
  readonly listedObjects?: number
  dispose(): Promise<void>
}

export function sha256Of(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}

function put(store: ObjectStore, key: string, body: Uint8Array): Promise<void> {
  return store.put(key, body, sha256Of(body))
}

async function keysUnder(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const object of store.list(prefix)) keys.push(object.key)
  return keys
}

export interface ContractExceptions {
  /** False for a store behind which nothing can refuse a write that comes at the same moment. */
  readonly refusesRacingBytes?: boolean
}

/** What every object store must keep to, whatever stands behind it. */
export function objectStoreContract(
  name: string,
  create: () => Promise<ObjectStoreUnderTest>,
  { refusesRacingBytes = true }: ContractExceptions = {},
): void {
  describe(`${name} keeps the contract of an object store`, () => {
    let under: ObjectStoreUnderTest
    let store: ObjectStore

    beforeAll(async () => {
      under = await create()
      store = under.store
    })
    afterAll(async () => {
      await store?.close()
      await under?.dispose()
    })

    test('what was put is got back, byte for byte', async () => {
      const body = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 31) & 0xff))
      await put(store, 'round/trip.bin', body)
      expect((await store.get('round/trip.bin'))?.equals(body)).toBe(true)
    })

    test('what was put stays as it was, whatever becomes of its bytes', async () => {
      const body = Buffer.alloc(4096, 'a')
      await put(store, 'round/own.bin', body)
      body.fill('b')
      expect((await store.get('round/own.bin'))?.equals(Buffer.alloc(4096, 'a'))).toBe(true)
    })

    test('an object that is not there is null, also below and above one that is', async () => {
      await put(store, 'absent/neighbour', Buffer.from('n'))
      expect(await store.get('absent/nothing')).toBeNull()
      expect(await store.get('absent')).toBeNull()
      expect(await store.get('nowhere/at/all')).toBeNull()
    })

    test('an empty object is there, and empty', async () => {
      await put(store, 'empty/object', Buffer.alloc(0))
      expect((await store.get('empty/object'))?.length).toBe(0)
    })

    test('putting the same bytes again changes nothing', async () => {
      await put(store, 'repeat/a', Buffer.from('same'))
      await put(store, 'repeat/a', Buffer.from('same'))
      expect(String(await store.get('repeat/a'))).toBe('same')
      expect(await keysUnder(store, 'repeat/')).toEqual(['repeat/a'])
    })

    test('putting other bytes under a key is refused, and the old bytes stay', async () => {
      await put(store, 'other/bytes', Buffer.from('first'))
      const clash = put(store, 'other/bytes', Buffer.from('second'))
      await expect(clash).rejects.toThrow(DeterminismError)
      await expect(clash).rejects.toThrow('other/bytes')
      expect(String(await store.get('other/bytes'))).toBe('first')
    })

    test('of concurrent puts of one key with the same bytes all succeed', async () => {
      const body = Buffer.alloc(100_000, 'x')
      await Promise.all(Array.from({ length: 6 }, () => put(store, 'race/same', body)))
      expect((await store.get('race/same'))?.equals(body)).toBe(true)
    })

    if (refusesRacingBytes) {
      test('of concurrent puts of one key with different bytes one wins and the others are refused', async () => {
        const bodies = Array.from({ length: 6 }, (_, i) => Buffer.alloc(100_000, `body ${i};`))
        const results = await Promise.allSettled(bodies.map((body) => put(store, 'race/different', body)))
        const won = results.flatMap((result, i) => (result.status === 'fulfilled' ? [bodies[i]] : []))
        expect(won).toHaveLength(1)
        for (const result of results) {
          if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(DeterminismError)
        }
        expect((await store.get('race/different'))?.equals(won[0]!)).toBe(true)
      })
    }

    test('an object of 20 MB is put whole, repeated without harm, and not overwritten', async () => {
      const body = Buffer.alloc(20_000_000)
      for (let i = 0; i < body.length; i += 4) body.writeUInt32LE(Math.imul(i, 2_654_435_761) >>> 0, i)
      await put(store, 'large/object', body)
      expect((await store.get('large/object'))?.equals(body)).toBe(true)
      await put(store, 'large/object', body)
      const changed = Buffer.from(body)
      changed[19_999_999]! ^= 1
      await expect(put(store, 'large/object', changed)).rejects.toThrow(DeterminismError)
      expect((await store.get('large/object'))?.equals(body)).toBe(true)
    })

    test('keys with equals signs, spaces, percent signs and letters of any script are kept as they are', async () => {
      const keys = [
        'keys/topic=crypto.trades.raw/date=2024-08-08/partition=0/00000000000000000000-00000000000000000009.jsonl.zst',
        'keys/a b+c%20d&e?f#g',
        'keys/quotes \'" and <angle>',
        'keys/ünïcode/日本語/📈',
      ]
      for (const key of keys) await put(store, key, Buffer.from(key))
      for (const key of keys) expect(String(await store.get(key))).toBe(key)
      expect(await keysUnder(store, 'keys/')).toEqual(
        [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      )
    })

    test('a key that could leave the store, or that only some stores can keep, is refused', async () => {
      const keys = [
        '',
        '/a',
        'a/',
        'a//b',
        '../a',
        'a/../../b',
        './a',
        '.hidden',
        'a\\b',
        'a\0b',
        'a\nb',
        'a\uffffb',
        '\ud800',
        'x'.repeat(1025),
      ]
      for (const key of keys) {
        await expect(put(store, key, Buffer.from('x')), JSON.stringify(key)).rejects.toThrow(ConfigurationError)
      }
    })

    test('a listing has the objects under the prefix, with their sizes, in byte order', async () => {
      const keys = ['order/a/c', 'order/a-b', 'order/a.b', 'order/a0', 'order/B', 'order/\u{ff01}', 'order/\u{10000}']
      for (const key of keys) await put(store, key, Buffer.alloc(key.length))
      const listed: { key: string; sizeBytes: number }[] = []
      for await (const object of store.list('order/')) listed.push(object)
      expect(listed.map((object) => object.key)).toEqual([
        'order/B',
        'order/a-b',
        'order/a.b',
        'order/a/c',
        'order/a0',
        'order/\u{ff01}',
        'order/\u{10000}',
      ])
      for (const object of listed) expect(object.sizeBytes).toBe(object.key.length)
      expect(await keysUnder(store, 'order/a')).toEqual(['order/a-b', 'order/a.b', 'order/a/c', 'order/a0'])
      expect(await keysUnder(store, 'order/nothing')).toEqual([])
    })

    test('a listing of many objects leaves none out', async () => {
      const count = under.listedObjects ?? 1_203
      const keys = Array.from({ length: count }, (_, i) => `many/${String(i).padStart(6, '0')}`)
      for (let at = 0; at < count; at += 50) {
        await Promise.all(keys.slice(at, at + 50).map((key) => put(store, key, Buffer.from(key))))
      }
      expect(await keysUnder(store, 'many/')).toEqual(keys)
    })

    test('a deleted object is gone and can be put anew; deleting what is not there does nothing', async () => {
      await put(store, 'delete/me', Buffer.from('one'))
      await store.delete('delete/me')
      await store.delete('delete/me')
      expect(await store.get('delete/me')).toBeNull()
      expect(await keysUnder(store, 'delete/')).toEqual([])
      await put(store, 'delete/me', Buffer.from('two'))
      expect(String(await store.get('delete/me'))).toBe('two')
    })
  })
}
