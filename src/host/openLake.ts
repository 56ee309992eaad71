import { join, resolve } from 'node:path'
import type { LakePlace } from '../lake/lakeCommit.ts'
import { directoryStore } from '../sinks/objects/directoryStore.ts'
import { parseBucketPlace } from './archivePlace.ts'
import { archiveKeyPrefix } from './openArchive.ts'
import type { S3Access } from './s3Access.ts'

/** Where the lake's files are, by the settings: `directory` (`lake/` in the data folder) or `s3://bucket/prefix`. Schemas are kept apart. Whoever opens it closes its store. */
export async function openLake(
  { place, s3 }: { readonly place: string; readonly s3: S3Access },
  dataDir: string,
  schema: string,
  onWarning: (message: string) => void,
): Promise<LakePlace> {
  const keyPrefix = archiveKeyPrefix(schema)
  if (place === 'directory') {
    return { store: directoryStore(join(resolve(dataDir), 'lake')), keyPrefix, catalog: 'millrace' }
  }
  // Imported here because loading the AWS SDK takes longer than everything else at a start.
  const { s3Store } = await import('../sinks/objects/s3Store.ts')
  return { store: s3Store({ ...s3, ...parseBucketPlace(place), onWarning }), keyPrefix, catalog: 'millrace' }
}
