import { ConfigurationError } from '../runtime/errors.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { fileKey, filesPrefix } from './backupKeys.ts'
import type { BackedFile } from './backupManifest.ts'
import type { NamedFile } from './namedFiles.ts'
import { sha256Of } from './tableCopy.ts'

/** Sizes of the files that a store has under a prefix, by key. */
export async function filesIn(store: ObjectStore, prefix: string): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>()
  for await (const { key, sizeBytes } of store.list(prefix)) sizes.set(key, sizeBytes)
  return sizes
}

/** Hashes of the files that the backups of a place have already. */
export async function keptFiles(to: ObjectStore): Promise<Set<string>> {
  const kept = new Set<string>()
  for await (const { key } of to.list(filesPrefix)) kept.add(key.slice(key.lastIndexOf('/') + 1))
  return kept
}

/**
 * Copies the files that no backup of the place has yet, and reads each back. Holds one file.
 * @param kept hashes of those that are there; the copied ones are added
 * @throws ConfigurationError where a file is gone, or is not what the rows say of it
 */
export async function copyFiles(
  from: ObjectStore,
  to: ObjectStore,
  files: readonly NamedFile[],
  kept: Set<string>,
  onFile: (bytes: number) => void,
): Promise<readonly BackedFile[]> {
  const backed: BackedFile[] = []
  const sizes = await filesIn(from, '')
  for (const { key, sha256 } of files) {
    const known = sizes.get(key)
    if (sha256 !== null && known !== undefined && kept.has(sha256)) {
      backed.push({ key, sha256, sizeBytes: known })
      onFile(0)
      continue
    }
    const bytes = await from.get(key)
    if (bytes === null)
      throw new ConfigurationError(`${from.location}/${key} was deleted during the backup: take another one.`)
    const found = sha256Of(bytes)
    if (sha256 !== null && sha256 !== found)
      throw new ConfigurationError(
        `${from.location}/${key} holds other bytes than the database says: it is damaged. Put it back from an older backup, then take this one again.`,
      )
    if (!kept.has(found)) {
      await to.put(fileKey(found), bytes, found)
      await readFile(to, { key, sha256: found })
      kept.add(found)
    }
    backed.push({ key, sha256: found, sizeBytes: bytes.length })
    onFile(bytes.length)
  }
  return backed
}

/**
 * The bytes of a file that is in a backup.
 * @throws ConfigurationError where they are gone or others
 */
export async function readFile(
  store: ObjectStore,
  { key, sha256 }: Pick<BackedFile, 'key' | 'sha256'>,
): Promise<Buffer> {
  const bytes = await store.get(fileKey(sha256))
  if (bytes !== null && sha256Of(bytes) === sha256) return bytes
  throw new ConfigurationError(
    `${store.location}/${fileKey(sha256)} (${key}) ${bytes === null ? 'is gone' : 'holds other bytes than were written'}: this backup cannot be used; take another one.`,
  )
}
