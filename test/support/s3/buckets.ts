import { createHash, randomUUID } from 'node:crypto'
import { compareKeys } from '../../../src/sinks/objects/objectKey.ts'
import type { Payload } from './payload.ts'
import { S3Refusal } from './refusal.ts'

/**
 * An object that the test server keeps: its `body`, the `etag` and the time of its last write, `lastModified`.
 *
 * `checksums` are those that were sent with it, by the name of their header (`x-amz-checksum-crc32`).
 */
export interface S3Object {
  readonly body: Buffer
  readonly etag: string
  readonly lastModified: Date
  /** `content-type` and `x-amz-meta-…` as they were sent. */
  readonly headers: Readonly<Record<string, string>>
  readonly checksums: Readonly<Record<string, string>>
}

interface MultipartUpload {
  readonly bucket: string
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly parts: Map<number, Payload & { readonly etag: string }>
}

/** One line of what a client lists to complete an upload. */
export interface ClaimedPart {
  readonly number: number
  readonly etag: string
  readonly checksums: Readonly<Record<string, string>>
}

/** `If-None-Match` and `If-Match` of a write. */
export interface WriteCondition {
  readonly ifNoneMatch?: string | undefined
  readonly ifMatch?: string | undefined
}

const MIN_PART_BYTES = 5 * 1024 * 1024

/**
 * Buckets, objects and unfinished uploads in memory. Every method is one step, so a request is applied whole or not
 * at all.
 */
export class S3Buckets {
  readonly buckets = new Map<string, Map<string, S3Object>>()
  readonly #uploads = new Map<string, MultipartUpload>()
  readonly #conditionalWrites: boolean

  constructor(conditionalWrites: boolean) {
    this.#conditionalWrites = conditionalWrites
  }

  /** How many multipart uploads were begun and neither completed nor aborted. */
  get unfinishedUploads(): number {
    return this.#uploads.size
  }

  create(bucket: string): void {
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
      throw new S3Refusal(400, 'InvalidBucketName', 'Not a bucket name.')
    if (this.buckets.has(bucket)) throw new S3Refusal(409, 'BucketAlreadyOwnedByYou', 'The bucket exists already.')
    this.buckets.set(bucket, new Map())
  }

  remove(bucket: string): void {
    if (this.objects(bucket).size > 0) throw new S3Refusal(409, 'BucketNotEmpty', 'The bucket is not empty.')
    this.buckets.delete(bucket)
  }

  objects(bucket: string): Map<string, S3Object> {
    const found = this.buckets.get(bucket)
    if (found === undefined) throw new S3Refusal(404, 'NoSuchBucket', 'The specified bucket does not exist')
    return found
  }

  get(bucket: string, key: string): S3Object {
    const found = this.objects(bucket).get(key)
    if (found === undefined) throw new S3Refusal(404, 'NoSuchKey', 'The specified key does not exist.')
    return found
  }

  /** Keys of the bucket in byte order. */
  keys(bucket: string, prefix: string): string[] {
    return [...this.objects(bucket).keys()].filter((key) => key.startsWith(prefix)).sort(compareKeys)
  }

  put(
    bucket: string,
    key: string,
    payload: Payload,
    headers: Record<string, string>,
    condition: WriteCondition,
  ): S3Object {
    this.#checkCondition(bucket, key, condition)
    return this.#store(bucket, key, { ...payload, headers, etag: quoted(md5(payload.body)) })
  }

  beginUpload(bucket: string, key: string, headers: Record<string, string>): string {
    this.objects(bucket)
    const uploadId = randomUUID()
    this.#uploads.set(uploadId, { bucket, key, headers, parts: new Map() })
    return uploadId
  }

  putPart(uploadId: string, bucket: string, key: string, number: number, payload: Payload): string {
    if (!(number >= 1 && number <= 10_000))
      throw new S3Refusal(400, 'InvalidArgument', 'Part numbers go from 1 to 10000.')
    const etag = quoted(md5(payload.body))
    this.#upload(uploadId, bucket, key).parts.set(number, { ...payload, etag })
    return etag
  }

  abortUpload(uploadId: string, bucket: string, key: string): void {
    this.#upload(uploadId, bucket, key)
    this.#uploads.delete(uploadId)
  }

  completeUpload(
    uploadId: string,
    bucket: string,
    key: string,
    claimed: readonly ClaimedPart[],
    condition: WriteCondition,
  ): S3Object {
    const upload = this.#upload(uploadId, bucket, key)
    if (claimed.some(({ number }, i) => number <= (claimed[i - 1]?.number ?? 0))) {
      throw new S3Refusal(400, 'InvalidPartOrder', 'The parts are not in ascending order.')
    }
    const parts = claimed.map((claim, i) => checkedPart(upload, claim, i === claimed.length - 1))
    if (parts.length === 0) throw new S3Refusal(400, 'MalformedXML', 'There is no part.')
    this.#checkCondition(bucket, key, condition)
    const digests = Buffer.concat(parts.map((part) => md5(part.body)))
    const etag = `"${md5(digests).toString('hex')}-${parts.length}"`
    const body = Buffer.concat(parts.map((part) => part.body))
    this.#uploads.delete(uploadId)
    return this.#store(bucket, key, { body, etag, headers: upload.headers, checksums: {} })
  }

  #store(bucket: string, key: string, object: Omit<S3Object, 'lastModified'>): S3Object {
    const stored = { ...object, lastModified: new Date() }
    this.objects(bucket).set(key, stored)
    return stored
  }

  #upload(uploadId: string, bucket: string, key: string): MultipartUpload {
    this.objects(bucket)
    const upload = this.#uploads.get(uploadId)
    if (upload !== undefined && upload.bucket === bucket && upload.key === key) return upload
    throw new S3Refusal(404, 'NoSuchUpload', 'The upload does not exist: it may have been aborted or completed.')
  }

  #checkCondition(bucket: string, key: string, { ifNoneMatch, ifMatch }: WriteCondition): void {
    const existing = this.objects(bucket).get(key)
    if (!this.#conditionalWrites) return
    if (ifNoneMatch !== undefined && ifNoneMatch !== '*')
      throw new S3Refusal(501, 'NotImplemented', 'Only If-None-Match: *.')
    if ((ifNoneMatch === '*' && existing !== undefined) || (ifMatch !== undefined && existing?.etag !== ifMatch)) {
      throw new S3Refusal(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold')
    }
  }
}

function checkedPart(upload: MultipartUpload, claim: ClaimedPart, isLast: boolean): Payload {
  const part = upload.parts.get(claim.number)
  if (part === undefined || quoted(claim.etag) !== part.etag) {
    throw new S3Refusal(400, 'InvalidPart', `Part ${claim.number} is not there, or has another ETag.`)
  }
  for (const [name, value] of Object.entries(claim.checksums)) {
    if (part.checksums[name] !== undefined && part.checksums[name] !== value) {
      throw new S3Refusal(400, 'InvalidPart', `Part ${claim.number} has another ${name}.`)
    }
  }
  if (!isLast && part.body.length < MIN_PART_BYTES) {
    throw new S3Refusal(
      400,
      'EntityTooSmall',
      `Part ${claim.number} has ${part.body.length} bytes; all but the last need 5 MiB.`,
    )
  }
  return part
}

function md5(bytes: Buffer): Buffer {
  return createHash('md5').update(bytes).digest()
}

function quoted(etag: Buffer | string): string {
  const text = typeof etag === 'string' ? etag : etag.toString('hex')
  return `"${text.replaceAll('"', '')}"`
}
