import { join, resolve } from 'node:path'
import type { ObjectStore } from '../runtime/objectStore.ts'
import type { Archive } from '../runtime/store/archive.ts'
import { rawArchive } from '../sinks/archive/rawArchive.ts'
import { directoryStore } from '../sinks/objects/directoryStore.ts'
import { parseBucketPlace } from './archivePlace.ts'
import type { S3Access } from './s3Access.ts'

/** Where raw records are kept. */
export interface ArchiveSettings {
  /** `directory` (of the data folder), `none` or `s3://bucket/prefix`. */
  readonly place: string
  /** For a bucket. */
  readonly s3: S3Access
}

/** Of a pipeline that keeps no raw records. */
export const noArchive: ArchiveSettings = { place: 'none', s3: {} }

/** An archive with the store that it is in, which whoever opened it closes. */
export interface OpenedArchive {
  readonly archive: Archive
  readonly store: ObjectStore
}

/** Topics of several schemas may have the same name, so those of all but `public` are kept under the schema's. */
export function archiveKeyPrefix(schema: string): string {
  return schema === 'public' ? '' : `${schema}/`
}

/** Where the setting says, in words for people. */
export function archiveLocation(place: string, dataDir: string): string {
  return place === 'directory' ? join(resolve(dataDir), 'archive') : place
}

/** The archive that the settings name, or null for none. */
export async function openArchive(
  { place, s3 }: ArchiveSettings,
  dataDir: string,
  schema: string,
  onWarning: (message: string) => void,
): Promise<OpenedArchive | null> {
  if (place === 'none') return null
  const store =
    place === 'directory' ? directoryStore(archiveLocation(place, dataDir)) : await openBucket(place, s3, onWarning)
  return { store, archive: rawArchive({ store, keyPrefix: archiveKeyPrefix(schema) }) }
}

async function openBucket(place: string, s3: S3Access, onWarning: (message: string) => void): Promise<ObjectStore> {
  // Imported here because loading the AWS SDK takes longer than everything else at a start, and most starts do without.
  const { s3Store } = await import('../sinks/objects/s3Store.ts')
  return s3Store({ ...s3, ...parseBucketPlace(place), onWarning })
}
