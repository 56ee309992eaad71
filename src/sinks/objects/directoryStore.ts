import { createHash, randomUUID } from 'node:crypto'
import type { Dirent } from 'node:fs'
import { link, mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DeterminismError, RetryableError } from '../../runtime/errors.ts'
import type { ObjectStore, StoredObject } from '../../runtime/objectStore.ts'
import { codeOf, fileError } from './fileErrors.ts'
import { assertObjectKey, compareKeys } from './objectKey.ts'

/** Keys never start with a dot, so this folder can hold no object. */
const TEMPORARY_FOLDER = '.unfinished'
/** A crash leaves a temporary file behind; one this old has no writer any more. */
const LEFTOVER_AGE_MS = 3_600_000

/** What a file system without hard links answers to `link`. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV'])

/**
 * An object store in a directory: one file an object, at its key's path. The directory is made when the first object
 * is put.
 *
 * A file appears whole or not at all and is never overwritten: its bytes are written to a temporary file and synced,
 * the file is linked to its name, which fails where the name exists, and the folder is synced. So a power cut leaves
 * no torn object, and one whose `put` resolved is there afterwards. Unlike in a bucket, a key cannot also be the
 * folder of another key.
 */
export function directoryStore(root: string): ObjectStore {
  return new DirectoryStore(resolve(root))
}

class DirectoryStore implements ObjectStore {
  readonly location: string
  readonly #root: string
  /** Folders that are known to exist and to be durable. */
  readonly #folders = new Set<string>()
  #ready: Promise<void> | null = null

  constructor(root: string) {
    this.#root = root
    this.location = pathToFileURL(root).href
  }

  async put(key: string, body: Uint8Array, sha256: string): Promise<void> {
    assertObjectKey(key)
    await this.#attempt(`cannot write ${key}`, async () => {
      const path = this.#pathOf(key)
      try {
        await this.#ensureFolder(dirname(path))
        if (!(await this.#holdsSame(path, key, body, sha256))) await this.#create(path, key, body, sha256)
      } catch (error) {
        // Somebody removed a folder that was there before: forget them all, so that the next try makes them again.
        if (codeOf(error) === 'ENOENT') {
          this.#folders.clear()
          this.#ready = null
        }
        throw error
      }
      await syncFolder(dirname(path))
    })
  }

  async #create(path: string, key: string, body: Uint8Array, sha256: string): Promise<void> {
    await this.#prepare()
    const temporary = join(this.#root, TEMPORARY_FOLDER, randomUUID())
    try {
      await writeSynced(temporary, body)
      const isNew = await this.#publish(temporary, path)
      if (!isNew && !(await this.#holdsSame(path, key, body, sha256))) {
        throw new RetryableError(`${this.location}: ${key} was deleted while it was being written; it is written again`)
      }
    } finally {
      await removeFile(temporary)
    }
  }

  async get(key: string): Promise<Buffer | null> {
    assertObjectKey(key)
    return this.#attempt(`cannot read ${key}`, async () => {
      const path = this.#pathOf(key)
      return (await isFile(path)) ? readIfThere(path) : null
    })
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    if (folder !== '') assertObjectKey(folder.slice(0, -1))
    yield* this.#walk(folder, prefix)
  }

  async delete(key: string): Promise<void> {
    assertObjectKey(key)
    await this.#attempt(`cannot delete ${key}`, () => removeFile(this.#pathOf(key)))
  }

  async close(): Promise<void> {}

  #pathOf(key: string): string {
    return join(this.#root, ...key.split('/'))
  }

  /** Entries in key order: a folder sorts as its name and a slash, because that is how its keys go on. */
  async *#walk(folder: string, prefix: string): AsyncGenerator<StoredObject> {
    const entries = await this.#attempt(`cannot list ${folder}`, () => entriesOf(join(this.#root, folder)))
    const names = entries
      .filter((entry) => !entry.name.startsWith('.'))
      .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
      .sort(compareKeys)
    for (const name of names) {
      if (name.endsWith('/')) {
        if (name.startsWith(prefix) || prefix.startsWith(name)) yield* this.#walk(name, prefix)
      } else if (name.startsWith(prefix)) {
        const sizeBytes = await this.#attempt(`cannot list ${name}`, () => sizeOf(this.#pathOf(name)))
        if (sizeBytes !== null) yield { key: name, sizeBytes }
      }
    }
  }

  #prepare(): Promise<void> {
    this.#ready ??= this.#sweepLeftovers().catch((error) => {
      this.#ready = null
      throw error
    })
    return this.#ready
  }

  async #sweepLeftovers(): Promise<void> {
    const folder = join(this.#root, TEMPORARY_FOLDER)
    await mkdir(folder, { recursive: true })
    for (const entry of await readdir(folder)) {
      const path = join(folder, entry)
      const age = await stat(path).then(
        (found) => Date.now() - found.mtimeMs,
        () => 0,
      )
      if (age > LEFTOVER_AGE_MS) await removeFile(path)
    }
  }

  /** Makes the folder and those above it, and makes their names durable from the root down. */
  async #ensureFolder(folder: string): Promise<void> {
    if (this.#folders.has(folder)) return
    if (folder !== this.#root) await this.#ensureFolder(dirname(folder))
    await mkdir(folder, { recursive: true })
    if (folder !== this.#root) await syncFolder(dirname(folder))
    this.#folders.add(folder)
  }

  /** False where the name is taken already. */
  async #publish(temporary: string, path: string): Promise<boolean> {
    try {
      await link(temporary, path)
      return true
    } catch (error) {
      const code = codeOf(error)
      if (code === 'EEXIST') return false
      if (!NO_LINKS.has(code)) throw error
      // Without hard links the test and the rename are two steps. Two writers of one key write the same bytes, so the
      // gap is harmless.
      if ((await sizeOf(path)) !== null) return false
      await rename(temporary, path)
      return true
    }
  }

  /** True where the object is there with these bytes, false where it is not there. */
  async #holdsSame(path: string, key: string, body: Uint8Array, sha256: string): Promise<boolean> {
    const existing = await readIfThere(path)
    if (existing === null) return false
    if (existing.length === body.length && createHash('sha256').update(existing).digest('hex') === sha256) return true
    throw new DeterminismError(
      `${this.location}: ${key} already holds other bytes (${existing.length} there, ${body.length} now); an object is never overwritten`,
    )
  }

  async #attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw fileError(`${this.location}: ${what}`, error)
    }
  }
}

async function writeSynced(path: string, body: Uint8Array): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(body)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder for syncing, and NTFS journals names by itself.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return null
    throw error
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return false
    throw error
  }
}

async function entriesOf(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true })
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return []
    throw error
  }
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(codeOf(error))) throw error
  }
}
