import { resolve } from 'node:path'
import { parseBucketPlace } from '../../host/archivePlace.ts'
import { openArchive } from '../../host/openArchive.ts'
import { openLake } from '../../host/openLake.ts'
import { s3Access } from '../../host/s3Access.ts'
import type { ObjectStore } from '../../runtime/objectStore.ts'
import { directoryStore } from '../../sinks/objects/directoryStore.ts'
import type { CommandContext } from '../commandContext.ts'
import { UsageError } from '../exit.ts'

/** The place that the settings name for backups. Whoever opens it closes it. */
export async function openBackups({ settings, output, env }: CommandContext): Promise<ObjectStore> {
  const { backupPlace: place } = settings
  if (place === undefined)
    throw new UsageError('--place is missing; name a folder or s3://bucket/prefix for backups, or set MILLRACE_BACKUP.')
  if (!place.startsWith('s3://')) return directoryStore(resolve(place))
  const { s3Store } = await import('../../sinks/objects/s3Store.ts')
  const onWarning = (message: string) => output.err(`warning: ${message}`)
  return s3Store({ ...s3Access(env, settings.s3PathStyle), ...parseBucketPlace(place), onWarning })
}

/** The archive or the lake that the settings name, of all schemas, and whether a backup copies its files; null for none. */
export async function filesPlace(
  { settings, output, env }: CommandContext,
  what: 'archive' | 'lake',
): Promise<{ readonly store: ObjectStore; readonly isCopied: boolean } | null> {
  const place = settings[what]
  const s3 = s3Access(env, settings.s3PathStyle)
  const warn = (message: string) => output.err(`warning: ${message}`)
  // A bucket is somewhere else already, and keeps what it is given.
  const isCopied = place === 'directory'
  if (what === 'lake')
    return { store: (await openLake({ place, s3 }, settings.dataDir, 'public', warn)).store, isCopied }
  const opened = await openArchive({ place, s3 }, settings.dataDir, 'public', warn)
  return opened === null ? null : { store: opened.store, isCopied }
}
