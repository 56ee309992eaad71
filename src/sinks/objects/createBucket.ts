import { CreateBucketCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { failureOf, s3Error } from './s3Errors.ts'
import { clientConfig, type S3StoreOptions } from './s3Store.ts'

/** Makes a bucket unless it is there; true when it was made now. Throws `RetryableError` or `ConfigurationError`. */
export async function createBucket(bucket: string, options: Omit<S3StoreOptions, 'bucket'>): Promise<boolean> {
  const client = new S3Client(clientConfig(options))
  try {
    // Asked first: a store may refuse to make a bucket that is there, each in its own words.
    if (await exists(client, bucket)) return false
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    return true
  } catch (error) {
    if (failureOf(error).code === 'BucketAlreadyOwnedByYou') return false
    throw s3Error(`could not make bucket ${bucket}`, error, false)
  } finally {
    client.destroy()
  }
}

async function exists(client: S3Client, bucket: string): Promise<boolean> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }))
    return true
  } catch (error) {
    if (failureOf(error).status === 404) return false
    throw error
  }
}
