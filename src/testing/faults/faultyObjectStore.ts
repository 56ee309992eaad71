import type { Clock } from '../../runtime/clock.ts'
import { RetryableError } from '../../runtime/errors.ts'
import type { ObjectStore, StoredObject } from '../../runtime/objectStore.ts'
import type { Random } from '../random.ts'
import type { Faults } from './faults.ts'
import { never, type SimulatedProcess } from './simulatedProcess.ts'

/** What disturbs an object store: `faults` decide when, `random` how long, and `process` is what they kill. */
export interface FaultyObjectStoreOptions {
  readonly faults: Faults
  readonly random: Random
  readonly process: SimulatedProcess
  /** Keeps time outside the process: an upload that is under way arrives although its sender is gone. */
  readonly clock: Clock
}

/** An object store that is slow, full, unreachable or silent, and in front of which the process dies during an upload. */
export function faultyObjectStore(inner: ObjectStore, options: FaultyObjectStoreOptions): ObjectStore {
  const { faults, random, process, clock } = options
  let refusesUntil = Number.NEGATIVE_INFINITY

  async function put(key: string, body: Uint8Array, sha256: string): Promise<void> {
    if (faults.strikes('put-refused')) refusesUntil = clock.now() + random.int(100, 8_000)
    if (clock.now() < refusesUntil) throw unreachable(key, 'the store is full')
    if (faults.strikes('put-fails')) throw unreachable(key, 'connection refused')
    if (faults.strikes('put-slow')) await clock.sleep(random.int(1, 5_000))
    if (faults.strikes('crash-during-put')) {
      if (random.chance(0.5)) await inner.put(key, body, sha256)
      return process.die(`during the upload of ${key}`)
    }
    await inner.put(key, body, sha256)
    if (faults.strikes('put-lost-reply')) throw unreachable(key, 'connection reset after the upload')
  }

  async function* list(prefix: string): AsyncIterable<StoredObject> {
    for await (const object of inner.list(prefix)) {
      if (!process.isAlive) await never()
      yield object
    }
  }

  return {
    location: inner.location,
    put: (key, body, sha256) => (process.isAlive ? process.guard(put(key, body, sha256)) : never()),
    get: (key) => (process.isAlive ? process.guard(inner.get(key)) : never()),
    list,
    delete: (key) => (process.isAlive ? process.guard(inner.delete(key)) : never()),
    close: () => (process.isAlive ? process.guard(inner.close()) : never()),
  }
}

function unreachable(key: string, why: string): RetryableError {
  return new RetryableError(`injected fault: ${key} was not answered for: ${why}`)
}
