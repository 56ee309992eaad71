import { createHash } from 'node:crypto'
import type { ObjectStore } from '../../runtime/objectStore.ts'

const KEY = '_millrace/probe'
const BODY = Buffer.from('Tells whether objects can be written and read here. May be deleted.\n')

/**
 * Writes a small object as an archive does, reads it and lists it: all the rights that an archive needs. The object stays, since the right to delete is
 * not needed. Throws what the store refuses, and an Error where it gives back other bytes.
 */
export async function probeStore(store: ObjectStore): Promise<void> {
  await store.put(KEY, BODY, createHash('sha256').update(BODY).digest('hex'))
  const read = await store.get(KEY)
  if (read?.equals(BODY) !== true)
    throw new Error(`${store.location} gives back other bytes than it was given (${KEY})`)
  for await (const { key } of store.list(KEY)) if (key === KEY) return
  throw new Error(`${store.location} does not list what it was given (${KEY})`)
}
