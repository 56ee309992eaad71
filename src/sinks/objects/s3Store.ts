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
import { checkOptions, needed, type OptionRules, optional } from '../../runtime/options.ts'
import { assertObjectKey } from './objectKey.ts'
import { findAbilities, PROBE_KEY, type S3Clients } from './s3Abilities.ts'
import { failureOf, s3Error, TLS_THERE } from './s3Errors.ts'
import { speaksTls } from './tlsProbe.ts'

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

const rules: OptionRules<S3StoreOptions> = {
  bucket: needed.such('text', (value) => typeof value === 'string'),
  prefix: optional.such('text', (value) => typeof value === 'string'),
  region: optional.text,
  endpoint: optional.text,
  // Those of the SDK say more, such as where they come from.
  credentials: optional.such('an object with accessKeyId and secretAccessKey', (value) => {
    const { accessKeyId, secretAccessKey, sessionToken } = (value ?? {}) as Readonly<Record<string, unknown>>
    const isText = (one: unknown) => typeof one === 'string' && one !== ''
    return isText(accessKeyId) && isText(secretAccessKey) && (sessionToken === undefined || isText(sessionToken))
  }),
  forcePathStyle: optional.flag,
  idleTimeoutMs: optional.number,
  onWarning: optional.anyFunction,
}

/** Larger objects go up in parts, so that a failure repeats a part and not everything. */
const MULTIPART_BYTES = 16 * 1024 * 1024
const PART_BYTES = 8 * 1024 * 1024
const CONNECT_TIMEOUT_MS = 5_000
const IDLE_TIMEOUT_MS = 30_000
/** The archive repeats with pauses of its own and says so; the SDK is to hide one hiccup at most. */
const SDK_ATTEMPTS = 2

/**
 * An object store in a bucket, over plain S3.
 *
 * An object is made by a conditional write (`If-None-Match: *`), in parts from 16 MiB on, so a key is never
 * overwritten; where the key is taken, the sha256 kept with the object decides between a harmless repeat and
 * `DeterminismError`. A store that does not honour conditional writes is found out before the first object, and then
 * every put looks first; that is safe as long as a key's bytes are always the same, and it is said once. One that refuses the SDK's checksum headers is found
 * out at the same time, and they are left out. Throws `ConfigurationError` on options that make no sense, and for what a person has to change (bucket,
 * credentials, rights) until the store has once done what it was asked; from then on that, too, is a `RetryableError`. The bucket is first asked at the first use.
 */
export function s3Store(options: S3StoreOptions): ObjectStore {
  checkOptions('s3Store', options, rules)
  return new S3Store(options)
}

class S3Store implements ObjectStore {
  readonly location: string
  readonly #bucket: string
  readonly #prefix: string
  readonly #clients: S3Clients
  readonly #warn: (message: string) => void
  readonly #endpoint: URL | null
  /** In use; the other one where the store turned out to want it. */
  #client: S3Client
  #isConditional: Promise<boolean> | null = null
  #wasAccepted = false

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
    const config = clientConfig(options)
    this.#clients = {
      usual: new S3Client(config),
      withoutChecksums: () =>
        new S3Client({
          ...config,
          requestChecksumCalculation: 'WHEN_REQUIRED',
          responseChecksumValidation: 'WHEN_REQUIRED',
        }),
    }
    this.#client = this.#clients.usual
    this.#endpoint = options.endpoint === undefined ? null : URL.parse(options.endpoint)
    this.#warn = options.onWarning ?? ((message) => process.emitWarning(message, { code: 'MILLRACE_S3_ABILITIES' }))
  }

  async put(key: string, body: Uint8Array, sha256: string): Promise<void> {
    assertObjectKey(this.#prefix + key)
    const what = `cannot write ${key}`
    const isConditional = await this.#findAbilities()
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
      throw s3Error(`${this.location}: ${what}`, error, this.#wasAccepted)
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

  /** Whether the store honours conditional writes. */
  #findAbilities(): Promise<boolean> {
    this.#isConditional ??= this.#probe().catch(async (error: unknown) => {
      this.#isConditional = null
      const cause = this.#wasAccepted || !(await this.#wantsTls(error)) ? error : TLS_THERE
      throw s3Error(`${this.location}: cannot write`, cause, this.#wasAccepted)
    })
    return this.#isConditional
  }

  async #probe(): Promise<boolean> {
    const found = await findAbilities(this.#clients, this.#bucket, this.#prefix)
    const { client, isConditional, takesChecksums } = found
    this.#wasAccepted = true
    if (!isConditional) {
      this.#warn(
        `${this.location}: this store ignores conditional writes (If-None-Match), so every object is looked for before it is written. ` +
          'Let only one data set write under this prefix.',
      )
    }
    if (takesChecksums) return isConditional
    this.#client.destroy()
    this.#client = client
    this.#warn(
      `${this.location}: this store refuses the SDK's checksum headers (x-amz-checksum-crc32), so objects go there without them; each still carries its sha256. ` +
        'Set AWS_REQUEST_CHECKSUM_CALCULATION=WHEN_REQUIRED to leave them out from the start.',
    )
    return isConditional
  }

  async #wantsTls(error: unknown): Promise<boolean> {
    const { status } = failureOf(error)
    const url = this.#endpoint
    if (status !== 0 || url?.protocol !== 'http:') return false
    return speaksTls(url.hostname.replace(/^\[(.*)\]$/, '$1'), Number(url.port || 80), CONNECT_TIMEOUT_MS)
  }

  async #attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      const result = await work()
      this.#wasAccepted = true
      return result
    } catch (error) {
      throw s3Error(`${this.location}: ${what}`, error, this.#wasAccepted)
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
    if (status === 404 && MISSING.has(code)) return null
    throw error
  }
}

/** Of an object; other things may be missing as well. A HEAD request is answered without S3's own code. */
const MISSING: ReadonlySet<string> = new Set(['NoSuchKey', 'NotFound', 'unknown error'])

function sha256Of(body: Buffer | null): string | null {
  return body === null ? null : createHash('sha256').update(body).digest('hex')
}
