import type { S3StoreOptions } from '../sinks/objects/s3Store.ts'

/** How to reach an object store, without the bucket. */
export type S3Access = Omit<S3StoreOptions, 'bucket' | 'prefix' | 'onWarning'>

/** Where the object store is and who asks, by the standard variables of AWS. */
export function s3Access(
  env: Readonly<Record<string, string | undefined>>,
  isPathStyle: boolean | undefined = undefined,
): S3Access {
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
