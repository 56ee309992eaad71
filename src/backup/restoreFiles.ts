import { ConfigurationError } from '../runtime/errors.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import { parseArchiveKey } from '../sinks/archive/archiveKey.ts'
import { readMarker } from '../sinks/archive/archiveOwner.ts'
import type { BackedFiles, BackupManifest } from './backupManifest.ts'
import { filesIn, readFile } from './fileCopy.ts'
import { sha256Of } from './tableCopy.ts'
import type { BackupProgress } from './writeBackup.ts'

/** Where files of a backup belong. */
export interface FilesTarget {
  readonly store: ObjectStore
  /** What to do with files of the time after the backup: move them out of the way, or refuse the restore. */
  readonly setsAside: boolean
}

interface Targets {
  readonly keyPrefixOf: (schema: string) => string
  readonly archive: FilesTarget | null
  readonly lake: FilesTarget | null
}

/** In front of the key of a file that was moved out of the way. */
const asidePrefix = 'after-'

/**
 * Puts the files of a backup where they belong, and takes out of the way what was written there after it: under the same keys a run would write other bytes. All of it is looked at before anything is done.
 * @throws ConfigurationError where there is something of that kind and it is not to be moved; where files that are not in the backup are gone; where the tables of the lake name another place
 */
export async function restoreFiles(
  store: ObjectStore,
  manifest: BackupManifest,
  target: Targets,
  onProgress: (progress: BackupProgress) => void,
): Promise<void> {
  const acts: (() => Promise<void>)[] = []
  for (const { name, identity, archive, lake } of manifest.schemas) {
    const prefix = target.keyPrefixOf(name)
    const told = (what: string) => (done: number, total: number, bytes: number) =>
      onProgress({ schema: name, what, done, total, bytes })
    if (target.archive !== null) {
      const isOwn = ownTopics(target.archive.store, prefix, identity)
      const isArchived = async (key: string) => key.startsWith(`${prefix}topic=`) && (await isOwn(key))
      acts.push(await plannedSet(store, manifest.id, archive, target.archive, isArchived, told('archive')))
    }
    if (target.lake === null || lake.files.length === 0) continue
    if (lake.location !== target.lake.store.location)
      throw new ConfigurationError(
        `the tables of the lake say that they are in ${lake.location}, and here they would be in ${target.lake.store.location}: restore to where they were (the same --data-dir, or MILLRACE_LAKE).`,
      )
    const folders = foldersOf(lake)
    const isOfTables = async (key: string) => folders.some((folder) => key.startsWith(folder))
    acts.push(await plannedSet(store, manifest.id, lake, target.lake, isOfTables, told('lake')))
  }
  for (const act of acts) await act()
}

/** Looks at what is there, and gives what is to be done. */
async function plannedSet(
  store: ObjectStore,
  id: string,
  { isCopied, files }: BackedFiles,
  target: FilesTarget,
  isOurs: (key: string) => Promise<boolean>,
  told: (done: number, total: number, bytes: number) => void,
): Promise<() => Promise<void>> {
  const there = await filesIn(target.store, '')
  const named = new Set(files.map(({ key }) => key))
  const later: string[] = []
  for (const key of there.keys()) if (!named.has(key) && (await isOurs(key))) later.push(key)
  if (later.length > 0 && !target.setsAside)
    throw new ConfigurationError(
      `${later.length} files in ${target.store.location} are of the time after the backup, such as ${later[0]}; a run that goes on from the backup would write other bytes under the same keys. ` +
        `--set-aside moves them to ${asidePrefix}${id}/, where nothing reads them. For a rehearsal name another place (MILLRACE_ARCHIVE, MILLRACE_LAKE, --data-dir) instead.`,
    )
  const gone = isCopied ? [] : files.filter(({ key }) => !there.has(key))
  if (gone.length > 0)
    throw new ConfigurationError(
      `${gone.length} files that the backup names are not in ${target.store.location}, such as ${gone[0]?.key}, and the backup does not hold them: say where they are (MILLRACE_ARCHIVE, MILLRACE_LAKE).`,
    )
  return async () => {
    for (const key of later) await moveAside(target.store, key, `${asidePrefix}${id}/${key}`)
    let bytes = 0
    for (const [index, file] of isCopied ? files.entries() : []) {
      const body = await readFile(store, file)
      await target.store.put(file.key, body, file.sha256)
      bytes += body.length
      told(index + 1, files.length, bytes)
    }
  }
}

/** Put before it is deleted: one that is killed between the two is done again. */
async function moveAside(store: ObjectStore, key: string, aside: string): Promise<void> {
  const bytes = await store.get(key)
  if (bytes === null) return
  await store.put(aside, bytes, sha256Of(bytes))
  await store.delete(key)
}

/** Whether an object of an archive is of a topic that the schema has archived: others may do so beside it. */
function ownTopics(store: ObjectStore, keyPrefix: string, identity: string): (key: string) => Promise<boolean> {
  const known = new Map<string, boolean>()
  return async (key) => {
    const topic = parseArchiveKey(key)?.topic
    if (topic === undefined) return false
    const isOwn = known.get(topic) ?? (await readMarker({ store, keyPrefix, topic }))?.owner.id === identity
    known.set(topic, isOwn)
    return isOwn
  }
}

function foldersOf({ files }: BackedFiles): readonly string[] {
  return [...new Set(files.flatMap(({ key }) => /^(.*\/)(?:metadata|commits|data|manifests)\//.exec(key)?.[1] ?? []))]
}
