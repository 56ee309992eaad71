import type { S3StoreOptions } from '../sinks/objects/s3Store.ts'

/** How to reach an object store, without the bucket. */
export type S3Access = Omit<S3StoreOptions, 'bucket' | 'prefix' | 'onWarning'>

/** Where the object store is and who asks, by the standard variables of AWS. An empty one counts as unset. */
export function s3Access(
  env: Readonly<Record<string, string | undefined>>,
  isPathStyle: boolean | undefined = undefined,
): S3Access {
  const given = (name: string) => env[name] || undefined
  const endpoint = given('AWS_ENDPOINT_URL_S3') ?? given('AWS_ENDPOINT_URL')
  const region = given('AWS_REGION') ?? given('AWS_DEFAULT_REGION')
  const accessKeyId = given('AWS_ACCESS_KEY_ID')
  const secretAccessKey = given('AWS_SECRET_ACCESS_KEY')
  const sessionToken = given('AWS_SESSION_TOKEN')
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(isPathStyle === undefined ? {} : { forcePathStyle: isPathStyle }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }),
  }
}
