import { join, resolve } from 'node:path'
import type { Archive } from '../../runtime/archive.ts'
import type { ObjectStore } from '../../runtime/objectStore.ts'
import { rawArchive } from '../../sinks/archive/rawArchive.ts'
import { directoryStore } from '../../sinks/objects/directoryStore.ts'
import type { S3StoreOptions } from '../../sinks/objects/s3Store.ts'
import type { Environment } from '../resolveSettings.ts'
import type { SettingValues } from '../settings.ts'

export interface OpenedArchive {
  readonly archive: Archive
  readonly store: ObjectStore
}

/** Topics of several schemas may have the same name, so those of all but `public` are kept under the schema's. */
export function archiveKeyPrefix(schema: string): string {
  return schema === 'public' ? '' : `${schema}/`
}

/** Where the setting says, in words for people. */
export function archiveLocation(settings: Pick<SettingValues, 'archive' | 'dataDir'>): string {
  return settings.archive === 'directory' ? join(resolve(settings.dataDir), 'archive') : settings.archive
}

/** The archive that the settings name, or null for none. */
export async function openArchive(
  settings: Pick<SettingValues, 'archive' | 'dataDir' | 's3PathStyle'>,
  schema: string,
  env: Environment,
  onWarning: (message: string) => void,
): Promise<OpenedArchive | null> {
  if (settings.archive === 'none') return null
  const store =
    settings.archive === 'directory'
      ? directoryStore(archiveLocation(settings))
      : await openBucket(settings.archive, settings.s3PathStyle, env, onWarning)
  return { store, archive: rawArchive({ store, keyPrefix: archiveKeyPrefix(schema) }) }
}

async function openBucket(
  location: string,
  isPathStyle: boolean | undefined,
  env: Environment,
  onWarning: (message: string) => void,
): Promise<ObjectStore> {
  // Imported here because loading the AWS SDK takes longer than everything else at a start, and most starts do without.
  const { s3Store } = await import('../../sinks/objects/s3Store.ts')
  const { hostname: bucket, pathname } = new URL(location)
  const prefix = pathname.replace(/^\/+|\/+$/g, '')
  return s3Store({
    ...s3Options(isPathStyle, env),
    bucket,
    prefix: prefix === '' ? '' : `${prefix}/`,
    onWarning,
  })
}

/** Where the object store is and who asks, by the standard variables of AWS; `.env` counts too, which the SDK does not know. */
export function s3Options(isPathStyle: boolean | undefined, env: Environment): Omit<S3StoreOptions, 'bucket'> {
  const endpoint = env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL
  const region = env.AWS_REGION ?? env.AWS_DEFAULT_REGION
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = env
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(isPathStyle === undefined ? {} : { forcePathStyle: isPathStyle }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }),
  }
}
