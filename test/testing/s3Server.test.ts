import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseRequest } from '../support/s3/request.ts'
import { verifySignature } from '../support/s3/signature.ts'
import { type S3Server, startS3Server } from '../support/s3Server.ts'

let server: S3Server
let client: S3Client

function clientFor(credentials = server.credentials): S3Client {
  return new S3Client({
    endpoint: server.endpoint,
    region: server.region,
    credentials,
    forcePathStyle: true,
    maxAttempts: 1,
  })
}

beforeEach(async () => {
  server = await startS3Server({ buckets: ['test', 'other'] })
  client = clientFor()
})
afterEach(async () => {
  client.destroy()
  await server.close()
})

const put = (
  Key: string,
  Body: NonNullable<PutObjectCommandInput['Body']>,
  more: Partial<PutObjectCommandInput> = {},
) => client.send(new PutObjectCommand({ Bucket: 'test', Key, Body, ...more }))
const stored = (key: string) => server.objects('test').get(key)?.body.toString()

async function text(key: string, Range?: string): Promise<string> {
  const found = await client.send(
    new GetObjectCommand({ Bucket: 'test', Key: key, ...(Range === undefined ? {} : { Range }) }),
  )
  return (await found.Body?.transformToString()) ?? ''
}

function refusal(status: number, name?: string) {
  return expect.objectContaining({
    $metadata: expect.objectContaining({ httpStatusCode: status }),
    ...(name === undefined ? {} : { name }),
  })
}

/** Sends bytes as they are, without a client's help, and gives what comes back. */
function sendRaw(bytes: string, cut: boolean): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(server.endpoint).port), '127.0.0.1', () => {
      if (cut) socket.write(bytes, () => socket.destroy())
      else socket.end(bytes)
    })
    let answer = ''
    socket.on('data', (chunk) => {
      answer += String(chunk)
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', () => resolve(answer))
  })
}

describe('the test kit’s S3 server verifies', () => {
  test('the signature of every request', async () => {
    const wrong = clientFor({ ...server.credentials, secretAccessKey: 'wrong' })
    await expect(wrong.send(new ListBucketsCommand({}))).rejects.toEqual(refusal(403, 'SignatureDoesNotMatch'))
    const unknown = clientFor({ ...server.credentials, accessKeyId: 'unknown' })
    await expect(unknown.send(new ListBucketsCommand({}))).rejects.toEqual(refusal(403, 'InvalidAccessKeyId'))
    expect((await fetch(`${server.endpoint}/test/a`)).status).toBe(403)
    wrong.destroy()
    unknown.destroy()
  })

  test('a signature of Amazon’s own documentation, and not a changed one', () => {
    // "Example: GET Object" of the SigV4 header authentication page, without its session of a bucket in the host name.
    const credentials = {
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    }
    const headers = {
      host: 'examplebucket.s3.amazonaws.com',
      range: 'bytes=0-9',
      'x-amz-content-sha256': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'x-amz-date': '20130524T000000Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
        'SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, ' +
        'Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    }
    const at = Date.UTC(2013, 4, 24)
    verifySignature(parseRequest('GET', '/test.txt', headers), credentials, 'us-east-1', at)
    const changed = { ...headers, range: 'bytes=0-8' }
    expect(() => verifySignature(parseRequest('GET', '/test.txt', changed), credentials, 'us-east-1', at)).toThrow(
      'does not match',
    )
    const late = at + 16 * 60_000
    expect(() => verifySignature(parseRequest('GET', '/test.txt', headers), credentials, 'us-east-1', late)).toThrow(
      'differs too much',
    )
  })

  test('every checksum, and stores nothing where one is wrong', async () => {
    const wrong = [
      { ChecksumCRC32: 'AAAAAA==' },
      { ChecksumCRC32C: 'AAAAAA==' },
      { ChecksumSHA256: createHash('sha256').update('other').digest('base64') },
      { ChecksumSHA1: createHash('sha1').update('other').digest('base64') },
      { ContentMD5: createHash('md5').update('other').digest('base64') },
    ]
    for (const checksum of wrong) await expect(put('a', 'body', checksum)).rejects.toEqual(refusal(400, 'BadDigest'))
    expect(server.objects('test').size).toBe(0)
    await put('a', 'body', { ChecksumSHA256: createHash('sha256').update('body').digest('base64') })
    await put('b', 'body', { ChecksumAlgorithm: 'CRC32C' })
    expect(stored('b')).toBe('body')
  })

  test('the signed sha256 of a body', async () => {
    const tampering = clientFor()
    tampering.middlewareStack.add(
      (next) => (args) => {
        const request = args.request as { body: unknown }
        request.body = Buffer.from('BODY')
        return next(args)
      },
      { step: 'finalizeRequest', priority: 'low' },
    )
    const sent = tampering.send(new PutObjectCommand({ Bucket: 'test', Key: 'a', Body: 'body' }))
    await expect(sent).rejects.toEqual(refusal(400, 'XAmzContentSHA256Mismatch'))
    tampering.destroy()
  })
})

describe('the test kit’s S3 server takes', () => {
  test('a streamed body with its checksum in a trailer', async () => {
    const body = 'chunk '.repeat(50_000)
    await put('streamed', Readable.from([body.slice(0, 70_000), body.slice(70_000)].map((each) => Buffer.from(each))), {
      ContentLength: body.length,
    })
    expect(stored('streamed')).toBe(body)
  })

  test('nothing of a body that was cut off', async () => {
    const head = 'PUT /test/torn HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n'
    await sendRaw(`${head}only a few bytes`, true)
    await expect.poll(() => server.counts.get('PutObject')).toBe(1)
    expect(stored('torn')).toBeUndefined()
  })

  test('metadata and the content type, and gives them back', async () => {
    await put('a', 'body', { Metadata: { sha256: 'abc' }, ContentType: 'application/gzip' })
    const head = await client.send(new HeadObjectCommand({ Bucket: 'test', Key: 'a' }))
    expect(head).toMatchObject({ ContentLength: 4, ContentType: 'application/gzip', Metadata: { sha256: 'abc' } })
    expect(head.ETag).toBe(`"${createHash('md5').update('body').digest('hex')}"`)
  })

  test('a conditional write only where the key is free', async () => {
    await put('a', 'first', { IfNoneMatch: '*' })
    await expect(put('a', 'second', { IfNoneMatch: '*' })).rejects.toEqual(refusal(412, 'PreconditionFailed'))
    expect(stored('a')).toBe('first')
    await put('a', 'second')
    expect(stored('a')).toBe('second')
  })
})

test('the test kit’s S3 server gives ranges', async () => {
  await put('a', '0123456789')
  expect(await text('a')).toBe('0123456789')
  expect(await text('a', 'bytes=2-4')).toBe('234')
  expect(await text('a', 'bytes=7-')).toBe('789')
  expect(await text('a', 'bytes=-2')).toBe('89')
  expect(await text('a', 'bytes=8-100')).toBe('89')
  await expect(text('a', 'bytes=10-')).rejects.toEqual(refusal(416, 'InvalidRange'))
  await expect(text('missing')).rejects.toEqual(refusal(404, 'NoSuchKey'))
})

test('the test kit’s S3 server lists in pages', async () => {
  const keys = ['a/1', 'a/2', 'a/3', 'a/ö & <x>', 'b/1']
  for (const key of keys) await put(key, key)
  const seen: (string | undefined)[] = []
  let ContinuationToken: string | undefined
  let pages = 0
  do {
    const page = await client.send(
      new ListObjectsV2Command({
        Bucket: 'test',
        Prefix: 'a/',
        MaxKeys: 2,
        ...(ContinuationToken ? { ContinuationToken } : {}),
      }),
    )
    seen.push(...(page.Contents ?? []).map((each) => each.Key))
    ContinuationToken = page.NextContinuationToken
    pages++
  } while (ContinuationToken !== undefined)
  expect(seen).toEqual(keys.slice(0, 4))
  expect(pages).toBe(2)
})

test('the test kit’s S3 server keeps buckets apart', async () => {
  await put('a', 'body')
  expect(server.objects('other').size).toBe(0)
  await client.send(new CreateBucketCommand({ Bucket: 'third' }))
  await client.send(new HeadBucketCommand({ Bucket: 'third' }))
  const { Buckets } = await client.send(new ListBucketsCommand({}))
  expect(Buckets?.map(({ Name }) => Name)).toEqual(['test', 'other', 'third'])
  await client.send(new DeleteBucketCommand({ Bucket: 'third' }))
  await expect(client.send(new HeadBucketCommand({ Bucket: 'third' }))).rejects.toEqual(refusal(404))
  await expect(client.send(new DeleteBucketCommand({ Bucket: 'test' }))).rejects.toEqual(refusal(409, 'BucketNotEmpty'))
})

describe('a multipart upload to the test kit’s S3 server', () => {
  const named = { Bucket: 'test', Key: 'large' }
  const first = Buffer.alloc(5 * 1024 * 1024, 'a')

  async function begin(parts: readonly Buffer[]) {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...named, ChecksumAlgorithm: 'CRC32' }))
    const Parts = []
    for (const [i, Body] of parts.entries()) {
      const { ETag, ChecksumCRC32 } = await client.send(
        new UploadPartCommand({ ...named, UploadId, PartNumber: i + 1, Body }),
      )
      Parts.push({ PartNumber: i + 1, ETag, ChecksumCRC32 })
    }
    return { UploadId, MultipartUpload: { Parts } }
  }

  test('appears whole when it is completed, and its parts are gone', async () => {
    const upload = await begin([first, Buffer.from('end')])
    expect(server.objects('test').has('large')).toBe(false)
    expect(server.unfinishedUploads).toBe(1)
    await client.send(new CompleteMultipartUploadCommand({ ...named, ...upload, IfNoneMatch: '*' }))
    expect(server.objects('test').get('large')?.body.length).toBe(first.length + 3)
    expect(server.unfinishedUploads).toBe(0)
    await expect(client.send(new CompleteMultipartUploadCommand({ ...named, ...upload }))).rejects.toEqual(
      refusal(404, 'NoSuchUpload'),
    )
  })

  test('is refused where the key was taken meanwhile, and can be aborted', async () => {
    const upload = await begin([Buffer.from('late')])
    await put('large', 'early')
    const complete = client.send(new CompleteMultipartUploadCommand({ ...named, ...upload, IfNoneMatch: '*' }))
    await expect(complete).rejects.toEqual(refusal(412))
    expect(stored('large')).toBe('early')
    await client.send(new AbortMultipartUploadCommand({ ...named, UploadId: upload.UploadId }))
    expect(server.unfinishedUploads).toBe(0)
  })

  test('is refused with a part that is missing, changed, out of order or too small', async () => {
    const { UploadId, MultipartUpload } = await begin([Buffer.from('small'), Buffer.from('end')])
    const [one, two] = MultipartUpload.Parts as [object, object]
    const complete = (Parts: object[]) =>
      client.send(new CompleteMultipartUploadCommand({ ...named, UploadId, MultipartUpload: { Parts } }))
    await expect(complete([one, two])).rejects.toEqual(refusal(400, 'EntityTooSmall'))
    await expect(complete([two, one])).rejects.toEqual(refusal(400, 'InvalidPartOrder'))
    await expect(complete([{ ...one, ETag: '"0"' }])).rejects.toEqual(refusal(400, 'InvalidPart'))
    await expect(complete([{ ...one, ChecksumCRC32: 'AAAAAA==' }])).rejects.toEqual(refusal(400, 'InvalidPart'))
    await expect(complete([{ ...one, PartNumber: 9 }])).rejects.toEqual(refusal(400, 'InvalidPart'))
    await complete([one])
    expect(stored('large')).toBe('small')
  })
})

describe('a fault on command', () => {
  test('refuses the next requests without applying them', async () => {
    server.faults.failNext(2, 503)
    await expect(put('a', '1')).rejects.toEqual(refusal(503, 'SlowDown'))
    await expect(text('a')).rejects.toEqual(refusal(503))
    expect(server.faults.pending).toBe(0)
    expect(stored('a')).toBeUndefined()
    await put('a', '2')
    expect(stored('a')).toBe('2')
  })

  test('strikes only the operation that it is meant for', async () => {
    server.faults.failNext(1, 500, { operation: 'GetObject', code: 'Custom' })
    await put('a', '1')
    await expect(text('a')).rejects.toEqual(refusal(500, 'Custom'))
    expect(await text('a')).toBe('1')
  })

  test('drops the connection before the request is applied, or after it', async () => {
    server.faults.dropNext(1, 'before')
    await expect(put('before', '1')).rejects.toThrow()
    expect(stored('before')).toBeUndefined()
    server.faults.dropNext(1, 'after')
    await expect(put('after', '1')).rejects.toThrow()
    expect(stored('after')).toBe('1')
  })

  test('delays the answer', async () => {
    server.faults.delayNext(1, 60_000)
    const slow = put('slow', '1').then(
      () => 'answered',
      () => 'cut off',
    )
    await expect.poll(() => server.counts.get('PutObject')).toBe(1)
    expect(stored('slow')).toBeUndefined()
    await server.close()
    expect(await slow).toBe('cut off')
  })
})

test('what the test kit’s S3 server does not know is answered so, not with something near', async () => {
  const cases = [
    client.send(new ListObjectsV2Command({ Bucket: 'test', Delimiter: '/' })),
    put('a', 'x', { IfNoneMatch: '"etag"' }),
  ]
  for (const sent of cases) await expect(sent).rejects.toEqual(refusal(501, 'NotImplemented'))
})
