import { ConfigurationError } from '../runtime/errors.ts'
import { assertObjectKey } from '../sinks/objects/objectKey.ts'

/** A bucket, and what is put in front of every key in it: empty, or ending in a slash. */
export interface BucketPlace {
  readonly bucket: string
  readonly prefix: string
}

/** In words for people. */
export const archivePlaceAllowed =
  'directory, none or s3://bucket/prefix (the prefix as it is: no percent-encoding, no empty part, none that begins with a dot, no backslash)'

const bucketPlace = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s

/** Whether raw records can be kept there. */
export function isArchivePlace(place: string): boolean {
  if (place === 'directory' || place === 'none') return true
  try {
    parseBucketPlace(place)
    return true
  } catch (error) {
    if (error instanceof ConfigurationError) return false
    throw error
  }
}

/** Takes the prefix letter by letter, with or without a slash at its end. Throws `ConfigurationError` on what no object key may begin with. */
export function parseBucketPlace(place: string): BucketPlace {
  const [, bucket, rest = ''] = bucketPlace.exec(place) ?? []
  if (bucket === undefined) {
    throw new ConfigurationError(
      `${JSON.stringify(place)} is no place for an archive; allowed: ${archivePlaceAllowed}.`,
    )
  }
  if (rest === '') return { bucket, prefix: '' }
  const prefix = rest.endsWith('/') ? rest.slice(0, -1) : rest
  assertObjectKey(prefix)
  return { bucket, prefix: `${prefix}/` }
}
