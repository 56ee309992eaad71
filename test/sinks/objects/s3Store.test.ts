import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ConfigurationError, DeterminismError, RetryableError } from '../../../src/runtime/errors.ts'
import type { ObjectStore } from '../../../src/runtime/objectStore.ts'
import { type S3StoreOptions, s3Store } from '../../../src/sinks/objects/s3Store.ts'
import { objectStoreContract, sha256Of } from '../../contract/objectStore.ts'
import { type S3Server, startS3Server } from '../../support/s3Server.ts'

for (const conditionalWrites of [true, false]) {
  const name = `s3Store on the server within the process ${conditionalWrites ? 'with' : 'without'} conditional writes`
  objectStoreContract(
    name,
    async () => {
      const server = await startS3Server({ conditionalWrites })
      const { endpoint, credentials } = server
      return {
        store: s3Store({ bucket: 'test', prefix: 'archive/', endpoint, credentials, onWarning: () => {} }),
        dispose: () => server.close(),
      }
    },
    { refusesRacingBytes: conditionalWrites },
  )
}

const real = {
  endpoint: process.env.MILLRACE_TEST_S3_ENDPOINT,
  accessKeyId: process.env.MILLRACE_TEST_S3_ACCESS_KEY,
  secretAccessKey: process.env.MILLRACE_TEST_S3_SECRET,
}
const { endpoint: realEndpoint, accessKeyId, secretAccessKey } = real
if (realEndpoint !== undefined && accessKeyId !== undefined && secretAccessKey !== undefined) {
  const credentials = { accessKeyId, secretAccessKey }
  objectStoreContract('s3Store on a real server', async () => {
    const bucket = `millrace-${randomUUID()}`
    const client = new S3Client({ endpoint: realEndpoint, credentials, region: 'us-east-1', forcePathStyle: true })
    await client.send(new CreateBucketCommand({ Bucket: bucket }))
    client.destroy()
    return {
      store: s3Store({ bucket, prefix: 'archive/', endpoint: realEndpoint, credentials }),
      listedObjects: 1_050,
      dispose: async () => {},
    }
  })
  test('a real server refuses a wrong secret with words that do not hold it', async () => {
    const wrong = { accessKeyId, secretAccessKey: 'a-wrong-secret' }
    await expectRefusal(s3Store({ bucket: 'test', endpoint: realEndpoint, credentials: wrong }))
  })
} else {
  test.skip('s3Store on a real server: set MILLRACE_TEST_S3_ENDPOINT, _ACCESS_KEY and _SECRET to run the contract there', () => {})
}

async function expectRefusal(store: ObjectStore): Promise<void> {
  const error: unknown = await store.put('a', Buffer.from('x'), sha256Of(Buffer.from('x'))).then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ConfigurationError)
  expect((error as Error).message).toContain('check the access key and the secret')
  expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('a-wrong-secret')
  await store.close()
}

describe('an S3 store', () => {
  let server: S3Server
  let store: ObjectStore
  const stores: ObjectStore[] = []

  function open(options: Partial<S3StoreOptions> = {}): ObjectStore {
    const opened = s3Store({ bucket: 'test', endpoint: server.endpoint, credentials: server.credentials, ...options })
    stores.push(opened)
    return opened
  }

  beforeEach(async () => {
    server = await startS3Server()
    store = open()
  })
  afterEach(async () => {
    for (const opened of stores.splice(0)) await opened.close()
    await server.close()
  })

  const body = Buffer.from('body')
  const large = Buffer.alloc(17 * 1024 * 1024, 'large')
  const put = (key: string, bytes: Buffer = body) => store.put(key, bytes, sha256Of(bytes))
  const stored = (key: string) => server.objects('test').get(key)?.body

  test('says where it is without a secret', () => {
    expect(store.location).toBe('s3://test')
    expect(open({ prefix: 'a/b/' }).location).toBe('s3://test/a/b')
    expect(inspect(store, { depth: 2 })).not.toContain(server.credentials.secretAccessKey)
  })

  test('asks once whether the server honours conditional writes, and not at all once it is known from before', async () => {
    await put('a')
    await put('b')
    expect(server.counts.get('PutObject')).toBe(4)
    const again = open()
    await again.put('c', body, sha256Of(body))
    expect(server.counts.get('PutObject')).toBe(6)
  })

  test('a lost reply of a put is repeated without harm', async () => {
    await put('first')
    server.faults.dropNext(1, 'after', { operation: 'PutObject' })
    await put('a')
    expect(stored('a')?.equals(body)).toBe(true)
    expect(server.faults.pending).toBe(0)
  })

  test('a lost reply of the completion of a large object is repeated without harm', async () => {
    await put('first')
    server.faults.dropNext(1, 'after', { operation: 'CompleteMultipartUpload' })
    await put('a', large)
    expect(stored('a')?.equals(large)).toBe(true)
    expect(server.unfinishedUploads).toBe(0)
  })

  test('a large object that meets other bytes leaves no parts behind', async () => {
    await put('a')
    await expect(put('a', large)).rejects.toThrow(DeterminismError)
    expect(stored('a')?.equals(body)).toBe(true)
    expect(server.unfinishedUploads).toBe(0)
  })

  test('a store that fails, throttles, refuses or hangs up is waited for', async () => {
    await put('first')
    for (const status of [500, 503, 429, 403, 409]) {
      server.faults.failNext(2, status, { operation: 'PutObject' })
      await expect(put('a'), String(status)).rejects.toThrow(RetryableError)
      server.faults.clear()
    }
    server.faults.dropNext(2, 'before')
    await expect(put('a')).rejects.toThrow(RetryableError)
    expect(stored('a')).toBeUndefined()
    await put('a')
    expect(stored('a')?.equals(body)).toBe(true)
  })

  test('reading, listing and deleting fail with the same words as writing', async () => {
    await put('a')
    const everything = [
      () => store.get('a'),
      () => store.delete('a'),
      async () => {
        for await (const object of store.list('')) expect(object.key).toBe('never')
      },
    ]
    for (const work of everything) {
      server.faults.failNext(2, 503)
      await expect(work()).rejects.toThrow(/s3:\/\/test: cannot \w+ .*asks to be asked less often/)
    }
  })

  test('a server that takes a request and never answers is given up on, and waited for', async () => {
    await put('first')
    const impatient = open({ idleTimeoutMs: 100 })
    server.faults.delayNext(2, 600_000, { operation: 'GetObject' })
    const silent = impatient.get('first')
    await expect(silent).rejects.toThrow(RetryableError)
    await expect(silent).rejects.toThrow('no answer in time')
  })

  test('a missing bucket is a setting to change, a server that is not there is waited for; both are said in words', async () => {
    const missing = open({ bucket: 'missing' })
    await expect(missing.put('a', body, sha256Of(body))).rejects.toThrow('create it')
    await expect(missing.get('a')).rejects.toThrow(ConfigurationError)
    const nowhere = open({ endpoint: 'http://127.0.0.1:1' })
    await expect(nowhere.put('a', body, sha256Of(body))).rejects.toThrow('connection refused')
    await expect(nowhere.get('a')).rejects.toThrow(RetryableError)
  })

  test('a wrong secret or key id is said in words that do not hold the secret', async () => {
    const { accessKeyId } = server.credentials
    await expectRefusal(open({ credentials: { accessKeyId, secretAccessKey: 'a-wrong-secret' } }))
    await expectRefusal(open({ credentials: { accessKeyId: 'unknown', secretAccessKey: 'a-wrong-secret' } }))
  })

  test('a wrong region is a setting to change', async () => {
    const wrong = open({ region: 'eu-central-1' })
    await expect(wrong.put('a', body, sha256Of(body))).rejects.toThrow(ConfigurationError)
  })

  test('a region that nothing tells is a setting to change', async () => {
    const lost = s3Store({ bucket: 'test', credentials: server.credentials })
    for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
    vi.stubEnv('AWS_CONFIG_FILE', '/dev/null')
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null')
    await expect(lost.get('a')).rejects.toThrow(ConfigurationError)
    vi.unstubAllEnvs()
    await lost.close()
  })

  test('options that make no sense are refused at once', () => {
    expect(() => open({ bucket: '' })).toThrow(ConfigurationError)
    expect(() => open({ prefix: 'a' })).toThrow('end in a slash')
    expect(() => open({ prefix: '../a/' })).toThrow(ConfigurationError)
    expect(() => open({ endpoint: 'localhost:9000' })).toThrow('endpoint must be')
    expect(() => open({ endpoint: 'http://user:pass@localhost' })).toThrow('must not hold')
  })

  test('a server without conditional writes is said once, and its objects are still not overwritten', async () => {
    const plain = await startS3Server({ conditionalWrites: false })
    const warnings: string[] = []
    const other = open({ endpoint: plain.endpoint, onWarning: (message) => warnings.push(message) })
    await other.put('a', body, sha256Of(body))
    await expect(other.put('a', large, sha256Of(large))).rejects.toThrow(DeterminismError)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain('ignores conditional writes')
    expect(plain.objects('test').get('a')?.body.equals(body)).toBe(true)
    await plain.close()
  })

  test('an object that somebody else put is compared by its bytes', async () => {
    const client = new S3Client({
      endpoint: server.endpoint,
      credentials: server.credentials,
      region: 'us-east-1',
      forcePathStyle: true,
    })
    await client.send(new PutObjectCommand({ Bucket: 'test', Key: 'a', Body: body }))
    client.destroy()
    await put('a')
    await expect(put('a', large)).rejects.toThrow(DeterminismError)
  })
})
