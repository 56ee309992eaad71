import { createHash } from 'node:crypto'
import { DeterminismError } from '../runtime/errors.ts'
import type { ObjectStore, StoredObject } from '../runtime/objectStore.ts'
import { assertObjectKey, compareKeys } from '../sinks/objects/objectKey.ts'

/**
 * An object store in memory, for tests and simulations: nothing in it waits for more than a microtask, and `objects`
 * can be read. Holds everything that was put until it is deleted.
 */
export class MemoryObjectStore implements ObjectStore {
  readonly location: string
  /** Every object by its key. */
  readonly objects = new Map<string, Buffer>()

  constructor(location = 'memory:') {
    this.location = location
  }

  async put(key: string, body: Uint8Array, sha256: string): Promise<void> {
    assertObjectKey(key)
    const actual = createHash('sha256').update(body).digest('hex')
    if (actual !== sha256) {
      throw new DeterminismError(
        `${this.location}: ${key} was to be put with sha256 ${sha256}, but its bytes have ${actual}`,
      )
    }
    const existing = this.objects.get(key)
    if (existing === undefined) {
      this.objects.set(key, Buffer.from(body))
    } else if (!existing.equals(body)) {
      throw new DeterminismError(
        `${this.location}: ${key} already holds other bytes (${existing.length} there, ${body.length} now); an object is never overwritten`,
      )
    }
  }

  async get(key: string): Promise<Buffer | null> {
    const body = this.objects.get(key)
    return body === undefined ? null : Buffer.from(body)
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    for (const key of [...this.objects.keys()].sort(compareKeys)) {
      const body = this.objects.get(key)
      if (body !== undefined && key.startsWith(prefix)) yield { key, sizeBytes: body.length }
    }
  }

  async delete(key: string): Promise<void> {
    this.objects.delete(key)
  }

  async close(): Promise<void> {}
}
