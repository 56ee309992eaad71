import type { ObjectStore } from '../runtime/objectStore.ts'
import { fileKey, filesPrefix } from './backupKeys.ts'
import { deleteBackup, listBackups, readManifest } from './backupManifest.ts'

/**
 * Deletes all backups of a place but the newest, and files that none of these names. Nothing else may write there meanwhile.
 * @param keep how many stay, at least 1
 * @returns the names of those that went
 */
export async function dropOldBackups(store: ObjectStore, keep: number): Promise<readonly string[]> {
  const { whole } = await listBackups(store)
  const old = whole.slice(0, -Math.max(1, keep))
  if (old.length === 0) return []
  for (const id of old) await deleteBackup(store, id)
  const named = new Set<string>()
  for (const id of whole.slice(-Math.max(1, keep)))
    for (const { archive, lake } of (await readManifest(store, id)).schemas)
      for (const { sha256 } of [...archive.files, ...lake.files]) named.add(sha256)
  const forsaken: string[] = []
  for await (const { key } of store.list(filesPrefix)) {
    const sha256 = key.slice(key.lastIndexOf('/') + 1)
    if (!named.has(sha256)) forsaken.push(sha256)
  }
  for (const sha256 of forsaken) await store.delete(fileKey(sha256))
  return old
}
