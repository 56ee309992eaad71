import { createHash } from 'node:crypto'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  paginateListObjectsV2,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { ConfigurationError, DeterminismError, RetryableError } from '../../runtime/errors.ts'
import type { ObjectStore, StoredObject } from '../../runtime/objectStore.ts'
import { assertObjectKey } from './objectKey.ts'
import { failureOf, s3Error } from './s3Errors.ts'

/** Which bucket `s3Store` keeps objects in, and how it reaches it. Without an endpoint that is AWS. */
export interface S3StoreOptions {
  /** The name of a bucket that exists. */
  readonly bucket: string
  /** Put in front of every key; empty or ending in a slash. */
  readonly prefix?: string
  /** Where it is not given: `us-east-1` with an endpoint, else what the SDK finds in the environment or the profile. */
  readonly region?: string
  /** Of a store other than AWS, such as `http://127.0.0.1:7070`. */
  readonly endpoint?: string
  /** An `accessKeyId` with its secret. Where they are not given, the SDK looks in the environment, the profile and the instance. */
  readonly credentials?: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken?: string
  }
  /** The bucket in the path instead of in the host name; true unless told otherwise where there is an endpoint. */
  readonly forcePathStyle?: boolean
  /**
   * How long a connection may be silent before the request counts as failed; 30 s unless told otherwise. A large
   * object may take longer.
   */
  readonly idleTimeoutMs?: number
  /** Told once when the store cannot do what is relied on; a process warning unless told otherwise. */
  readonly onWarning?: (message: string) => void
}

/** Larger objects go up in parts, so that a failure repeats a part and not everything. */
const MULTIPART_BYTES = 16 * 1024 * 1024
const PART_BYTES = 8 * 1024 * 1024
const CONNECT_TIMEOUT_MS = 5_000
const IDLE_TIMEOUT_MS = 30_000
/** The archive repeats with pauses of its own and says so; the SDK is to hide one hiccup at most. */
const SDK_ATTEMPTS = 2

/**
 * Written once to learn whether the store honours `If-None-Match`, and left there, so that it is asked only once.
 * Never listed.
 */
const PROBE_KEY = '_millrace/conditional-writes'

/**
 * An object store in a bucket, over plain S3.
 *
 * An object is made by a conditional write (`If-None-Match: *`), in parts from 16 MiB on, so a key is never
 * overwritten; where the key is taken, the sha256 kept with the object decides between a harmless repeat and
 * `DeterminismError`. A store that does not honour conditional writes is found out before the first object, and then
 * every put looks first; that is safe as long as a key's bytes are always the same, and it is said once. Throws
 * `ConfigurationError` on options that make no sense; the bucket is first asked at the first use.
 */
export function s3Store(options: S3StoreOptions): ObjectStore {
  return new S3Store(options)
}

class S3Store implements ObjectStore {
  readonly location: string
  readonly #bucket: string
  readonly #prefix: string
  readonly #client: S3Client
  readonly #warn: (message: string) => void
  #conditional: Promise<boolean> | null = null

  constructor(options: S3StoreOptions) {
    const { bucket, prefix = '' } = options
    if (bucket === '') throw new ConfigurationError('s3Store: bucket must be the name of a bucket, got an empty text')
    if (prefix !== '') {
      if (!prefix.endsWith('/')) {
        throw new ConfigurationError(`s3Store: prefix must be empty or end in a slash, got ${JSON.stringify(prefix)}`)
      }
      assertObjectKey(prefix.slice(0, -1))
    }
    this.#bucket = bucket
    this.#prefix = prefix
    this.location = `s3://${bucket}/${prefix}`.replace(/\/$/, '')
    this.#client = new S3Client(clientConfig(options))
    this.#warn =
      options.onWarning ?? ((message) => process.emitWarning(message, { code: 'MILLRACE_S3_CONDITIONAL_WRITES' }))
  }

  async put(key: string, body: Uint8Array, sha256: string): Promise<void> {
    assertObjectKey(this.#prefix + key)
    const what = `cannot write ${key}`
    const isConditional = await this.#isConditional()
    if (!isConditional && (await this.#holdsSame(key, body, sha256))) return
    try {
      await this.#upload(key, body, sha256, isConditional)
    } catch (error) {
      const { code, status } = failureOf(error)
      if (status === 412 && (await this.#holdsSame(key, body, sha256))) return
      // Completing an upload may have worked although the reply was lost; the SDK's repeat then finds no upload.
      if (code === 'NoSuchUpload' && (await this.#holdsSame(key, body, sha256))) return
      if (status === 409)
        throw new RetryableError(`${this.location}: ${what}: another write of it is under way (${code})`)
      throw s3Error(`${this.location}: ${what}`, error)
    }
  }

  async get(key: string): Promise<Buffer | null> {
    assertObjectKey(this.#prefix + key)
    return this.#attempt(`cannot read ${key}`, async () => {
      const found = await unlessMissing(this.#client.send(new GetObjectCommand(this.#named(key))))
      if (found === null) return null
      return found.Body === undefined ? Buffer.alloc(0) : Buffer.from(await found.Body.transformToByteArray())
    })
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const input = { Bucket: this.#bucket, Prefix: this.#prefix + prefix }
    const pages = paginateListObjectsV2({ client: this.#client }, input)
    for (;;) {
      const page = await this.#attempt(`cannot list ${prefix}`, () => pages.next())
      if (page.done === true) return
      for (const { Key, Size } of page.value.Contents ?? []) {
        const key = Key?.slice(this.#prefix.length)
        if (key !== undefined && key !== PROBE_KEY) yield { key, sizeBytes: Size ?? 0 }
      }
    }
  }

  async delete(key: string): Promise<void> {
    assertObjectKey(this.#prefix + key)
    await this.#attempt(`cannot delete ${key}`, () => this.#client.send(new DeleteObjectCommand(this.#named(key))))
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  #named(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key }
  }

  async #upload(key: string, body: Uint8Array, sha256: string, isConditional: boolean): Promise<void> {
    const params: PutObjectCommandInput = {
      ...this.#named(key),
      Body: body,
      ContentType: key.endsWith('.zst') ? 'application/zstd' : 'application/octet-stream',
      Metadata: { sha256 },
      ...(isConditional ? { IfNoneMatch: '*' } : {}),
    }
    if (body.length < MULTIPART_BYTES) await this.#client.send(new PutObjectCommand(params))
    else await new Upload({ client: this.#client, params, partSize: PART_BYTES, queueSize: 2 }).done()
  }

  /** True where the object is there with these bytes, false where it is not there. */
  async #holdsSame(key: string, body: Uint8Array, sha256: string): Promise<boolean> {
    const what = `cannot compare ${key}`
    const head = await this.#attempt(what, () =>
      unlessMissing(this.#client.send(new HeadObjectCommand(this.#named(key)))),
    )
    if (head === null) return false
    // Somebody else may have put it, or a tool that drops metadata copied it: then its bytes have to tell.
    const existing = head.Metadata?.sha256 ?? sha256Of(await this.get(key))
    if (existing === sha256) return true
    throw new DeterminismError(
      `${this.location}: ${key} already holds other bytes (${head.ContentLength ?? 0} there, ${body.length} now); ` +
        'an object is never overwritten',
    )
  }

  #isConditional(): Promise<boolean> {
    this.#conditional ??= this.#probe().catch((error: unknown) => {
      this.#conditional = null
      throw s3Error(`${this.location}: cannot write`, error)
    })
    return this.#conditional
  }

  async #probe(): Promise<boolean> {
    // The first write of all finds nothing there, so only the second one tells.
    const isHonoured = (await this.#probeIsRefused()) || (await this.#probeIsRefused())
    if (!isHonoured) {
      this.#warn(
        `${this.location}: this store ignores conditional writes (If-None-Match), so every object is looked for before it is written. ` +
          'Let only one data set write under this prefix.',
      )
    }
    return isHonoured
  }

  async #probeIsRefused(): Promise<boolean> {
    const named = this.#named(PROBE_KEY)
    const body = 'Tells whether this store honours conditional writes. May be deleted.\n'
    try {
      await this.#client.send(new PutObjectCommand({ ...named, Body: body, IfNoneMatch: '*' }))
      return false
    } catch (error) {
      const { status } = failureOf(error)
      if (status === 412) return true
      // Not implemented: it refuses the header rather than to overwrite.
      if (status === 501) return false
      throw error
    }
  }

  async #attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw s3Error(`${this.location}: ${what}`, error)
    }
  }
}

/** What the SDK needs of the options. Throws `ConfigurationError`. */
export function clientConfig({
  region,
  endpoint,
  credentials,
  forcePathStyle,
  idleTimeoutMs,
}: Omit<S3StoreOptions, 'bucket'>): S3ClientConfig {
  return {
    maxAttempts: SDK_ATTEMPTS,
    forcePathStyle: forcePathStyle ?? endpoint !== undefined,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: idleTimeoutMs ?? IDLE_TIMEOUT_MS },
    // Stores other than AWS take any region as a rule; for AWS the SDK looks where it looks for credentials.
    ...(region === undefined && endpoint === undefined ? {} : { region: region ?? 'us-east-1' }),
    ...(endpoint === undefined ? {} : { endpoint: checkedEndpoint(endpoint) }),
    ...(credentials === undefined ? {} : { credentials: { ...credentials } }),
  }
}

function checkedEndpoint(endpoint: string): string {
  const url = URL.parse(endpoint)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new ConfigurationError(`s3Store: endpoint must be an http or https URL, got ${JSON.stringify(endpoint)}`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigurationError('s3Store: endpoint must not hold a user or a password; use credentials')
  }
  return endpoint
}

async function unlessMissing<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    const { code, status } = failureOf(error)
    if (status === 404 && code !== 'NoSuchBucket') return null
    throw error
  }
}

function sha256Of(body: Buffer | null): string | null {
  return body === null ? null : createHash('sha256').update(body).digest('hex')
}
