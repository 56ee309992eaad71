import { expect, test } from 'vitest'
import { DeterminismError } from '../../src/runtime/errors.ts'
import { MemoryObjectStore } from '../../src/testing/memoryObjectStore.ts'
import { objectStoreContract, sha256Of } from '../contract/objectStore.ts'

objectStoreContract('MemoryObjectStore', async () => ({ store: new MemoryObjectStore(), dispose: async () => {} }))

test('an object whose bytes are not those of its checksum is refused', async () => {
  const store = new MemoryObjectStore()
  await expect(store.put('a', Buffer.from('x'), sha256Of(Buffer.from('y')))).rejects.toThrow(DeterminismError)
  expect(store.objects.size).toBe(0)
})

test('the store keeps a copy, not the caller’s buffer', async () => {
  const store = new MemoryObjectStore()
  const body = Buffer.from('first')
  await store.put('a', body, sha256Of(body))
  body.fill(0)
  expect(String(store.objects.get('a'))).toBe('first')
})
