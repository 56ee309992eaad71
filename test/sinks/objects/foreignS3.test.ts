import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { parseBucketPlace } from '../../../src/host/archivePlace.ts'
import { ConfigurationError, RetryableError } from '../../../src/runtime/errors.ts'
import type { ObjectStore } from '../../../src/runtime/objectStore.ts'
import { type S3StoreOptions, s3Store } from '../../../src/sinks/objects/s3Store.ts'
import { sha256Of } from '../../contract/objectStore.ts'
import { makeAuthority } from '../../support/certificates.ts'
import { ownBucket, pickyS3, realS3, requiredS3, s3Title } from '../../support/realS3.ts'

const body = Buffer.from('an object')
const large = Buffer.alloc(17 * 1024 * 1024, 'large')
const put = (store: ObjectStore, key: string, bytes = body) => store.put(key, bytes, sha256Of(bytes))
const refusal = (status: number, code: string, message: string) => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
})

describe.skipIf(realS3 === null)(s3Title('an S3 store at a real server'), () => {
  const stores: ObjectStore[] = []
  const closing: { close(): Promise<void> }[] = []
  const warnings: string[] = []

  function open(options: Partial<S3StoreOptions>): ObjectStore {
    const store = s3Store({ bucket: '', ...requiredS3(), onWarning: (text) => warnings.push(text), ...options })
    stores.push(store)
    return store
  }

  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close()
    for (const server of closing.splice(0)) await server.close()
    warnings.length = 0
    vi.unstubAllEnvs()
  })

  async function failureOf(work: Promise<unknown>): Promise<Error> {
    return work.then(
      () => expect.unreachable('it was taken'),
      (error: unknown) => error as Error,
    )
  }

  test('takes every prefix letter by letter', async () => {
    const bucket = await ownBucket()
    for (const prefix of ['plain', 'a b', 'ü', 'x#y', 'w?v=1', 'p%20q', '日本/ä', '+&=']) {
      const place = parseBucketPlace(`s3://${bucket}/${prefix}`)
      expect(place).toEqual({ bucket, prefix: `${prefix}/` })
      await put(open(place), 'key')
    }
    const keys: string[] = []
    for await (const { key } of open({ bucket }).list('')) if (key.endsWith('/key')) keys.push(key)
    expect(keys.toSorted()).toEqual(
      ['plain', 'a b', 'ü', 'x#y', 'w?v=1', 'p%20q', '日本/ä', '+&='].map((prefix) => `${prefix}/key`).toSorted(),
    )
  })

  test('does without checksum headers where the server refuses them, and says so once', async () => {
    const bucket = await ownBucket()
    const server = await pickyS3((method, headers) =>
      (method === 'PUT' || method === 'POST') &&
      Object.keys(headers).some((name) => /^x-amz-(checksum-|sdk-checksum|trailer)/.test(name))
        ? refusal(400, 'InvalidArgument', 'Unsupported header x-amz-checksum-crc32 received for this API call.')
        : null,
    )
    closing.push(server)
    const store = open({ bucket, endpoint: server.endpoint })
    await put(store, 'small')
    await put(store, 'large', large)
    expect((await store.get('large'))?.equals(large)).toBe(true)
    expect(warnings).toEqual([expect.stringContaining('AWS_REQUEST_CHECKSUM_CALCULATION=WHEN_REQUIRED')])
    await expect(put(store, 'small', large)).rejects.toThrow('already holds other bytes')
  })

  test('does without conditional writes where the server knows no such header', async () => {
    const bucket = await ownBucket()
    const server = await pickyS3((_, headers) =>
      headers['if-none-match'] === undefined ? null : refusal(501, 'NotImplemented', 'A header you provided implies…'),
    )
    closing.push(server)
    const store = open({ bucket, endpoint: server.endpoint })
    await put(store, 'a')
    await expect(put(store, 'a', large)).rejects.toThrow('already holds other bytes')
    expect(warnings).toEqual([expect.stringContaining('ignores conditional writes')])
  })

  test('a missing bucket, wrong keys and no credentials are settings until the store was reached once', async () => {
    const { credentials } = requiredS3()
    const missing = await failureOf(put(open({ bucket: 'is-not-there' }), 'a'))
    expect(missing).toBeInstanceOf(ConfigurationError)
    expect(missing.message).toMatch(/s3:\/\/is-not-there.*the bucket does not exist.*NoSuchBucket, HTTP 404: .*exist/)
    const bucket = await ownBucket()
    for (const wrong of [
      { ...credentials, secretAccessKey: 'another-secret' },
      { ...credentials, accessKeyId: 'nobody' },
    ]) {
      const error = await failureOf(put(open({ bucket, credentials: wrong }), 'a'))
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(error.message).toMatch(/AWS_SECRET_ACCESS_KEY|the credentials/)
      expect(error.message).not.toContain('another-secret')
    }
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, '/dev/null')
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
    const { endpoint } = requiredS3()
    const none = await failureOf(put(s3Store({ bucket, endpoint, onWarning: () => {} }), 'a'))
    expect(none).toBeInstanceOf(ConfigurationError)
    expect(none.message).toContain('AWS_ACCESS_KEY_ID')
  })

  test('rights that are taken away later are waited for', async () => {
    const bucket = await ownBucket()
    let isClosed = false
    const server = await pickyS3(() => (isClosed ? refusal(403, 'AccessDenied', 'Access Denied by policy 7') : null))
    closing.push(server)
    const store = open({ bucket, endpoint: server.endpoint })
    await put(store, 'a')
    isClosed = true
    const error = await failureOf(put(store, 'b'))
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.message).toContain('Access Denied by policy 7')
  })

  test('TLS to a server without it, and the other way, are settings', async () => {
    const bucket = await ownBucket()
    const plain = await failureOf(
      put(open({ bucket, endpoint: requiredS3().endpoint.replace('http:', 'https:') }), 'a'),
    )
    expect(plain).toBeInstanceOf(ConfigurationError)
    expect(plain.message).toContain('http://')
    const server = makeAuthority('nobody').issue('127.0.0.1', ['127.0.0.1'])
    const tls = createTlsServer({ cert: server.cert, key: server.key }, (_, response) => response.end())
    await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve))
    closing.push({
      close: async () => {
        tls.closeAllConnections()
        tls.close()
      },
    })
    const { port } = tls.address() as AddressInfo
    const other = await failureOf(put(open({ bucket, endpoint: `http://127.0.0.1:${port}` }), 'a'))
    expect(other).toBeInstanceOf(ConfigurationError)
    expect(other.message).toContain('https://')
    const untrusted = await failureOf(put(open({ bucket, endpoint: `https://127.0.0.1:${port}` }), 'a'))
    expect(untrusted).toBeInstanceOf(ConfigurationError)
    expect(untrusted.message).toContain('NODE_EXTRA_CA_CERTS')
  })
})
