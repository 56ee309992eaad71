import type { IncomingHttpHeaders } from 'node:http'
import type { ClaimedPart, S3Buckets, S3Object, WriteCondition } from './buckets.ts'
import type { Payload } from './payload.ts'
import { S3Refusal } from './refusal.ts'
import type { S3Request, S3Response } from './request.ts'
import { elementsOf, renderXml, textOf } from './xml.ts'

const MAX_KEYS = 1000

/** Applies a request that was found well signed and whole. Throws `S3Refusal`. */
export function perform(buckets: S3Buckets, request: S3Request, payload: Payload): S3Response {
  const { bucket, key, headers } = request
  switch (request.operation) {
    case 'ListBuckets':
      return xml({
        ListAllMyBucketsResult: { Buckets: { Bucket: [...buckets.buckets.keys()].map((Name) => ({ Name })) } },
      })
    case 'CreateBucket':
      buckets.create(bucket)
      return { status: 200 }
    case 'HeadBucket':
      buckets.objects(bucket)
      return { status: 200 }
    case 'DeleteBucket':
      buckets.remove(bucket)
      return { status: 204 }
    case 'ListObjectsV2':
      return list(buckets, request)
    case 'PutObject': {
      if (headers['x-amz-copy-source'] !== undefined) throw new S3Refusal(501, 'NotImplemented', 'No copies here.')
      const object = buckets.put(bucket, key, payload, keptHeaders(headers), conditionOf(headers))
      return { status: 200, headers: { etag: object.etag, ...object.checksums } }
    }
    case 'GetObject':
      return read(buckets.get(bucket, key), headers)
    case 'HeadObject': {
      const object = buckets.get(bucket, key)
      return { status: 200, headers: { ...describe(object, headers), 'content-length': String(object.body.length) } }
    }
    case 'DeleteObject':
      buckets.objects(bucket).delete(key)
      return { status: 204 }
    default:
      return performUpload(buckets, request, payload)
  }
}

function performUpload(buckets: S3Buckets, request: S3Request, payload: Payload): S3Response {
  const { bucket, key, headers, query } = request
  const uploadId = query.get('uploadId') ?? ''
  switch (request.operation) {
    case 'CreateMultipartUpload': {
      const UploadId = buckets.beginUpload(bucket, key, keptHeaders(headers))
      return xml({ InitiateMultipartUploadResult: { Bucket: bucket, Key: key, UploadId } })
    }
    case 'UploadPart': {
      const etag = buckets.putPart(uploadId, bucket, key, Number(query.get('partNumber')), payload)
      return { status: 200, headers: { etag, ...payload.checksums } }
    }
    case 'CompleteMultipartUpload': {
      const parts = claimedParts(payload.body.toString('utf8'))
      const object = buckets.completeUpload(uploadId, bucket, key, parts, conditionOf(headers))
      return xml({ CompleteMultipartUploadResult: { Bucket: bucket, Key: key, ETag: object.etag } })
    }
    case 'AbortMultipartUpload':
      buckets.abortUpload(uploadId, bucket, key)
      return { status: 204 }
    default:
      throw new S3Refusal(501, 'NotImplemented', `The test server does not know ${request.method} ${request.path}.`)
  }
}

function list(buckets: S3Buckets, { bucket, query }: S3Request): S3Response {
  if (query.has('delimiter')) throw new S3Refusal(501, 'NotImplemented', 'The test server lists without a delimiter.')
  const prefix = query.get('prefix') ?? ''
  const token = query.get('continuation-token')
  const after = token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64').toString('utf8')
  const maxKeys = Math.min(Number(query.get('max-keys') ?? MAX_KEYS), MAX_KEYS)
  const keys = buckets.keys(bucket, prefix)
  const from = after === '' ? 0 : keys.findIndex((key) => Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0)
  const rest = from < 0 ? [] : keys.slice(from)
  const page = rest.slice(0, maxKeys)
  const isTruncated = rest.length > page.length
  const shown = (text: string) => (query.get('encoding-type') === 'url' ? encodeURIComponent(text) : text)
  return xml({
    ListBucketResult: {
      Name: bucket,
      Prefix: shown(prefix),
      KeyCount: page.length,
      MaxKeys: maxKeys,
      IsTruncated: isTruncated,
      ...(isTruncated ? { NextContinuationToken: Buffer.from(page.at(-1) ?? after).toString('base64') } : {}),
      Contents: page.map((key) => {
        const { etag, body, lastModified } = buckets.get(bucket, key)
        return {
          Key: shown(key),
          LastModified: lastModified.toISOString(),
          ETag: etag,
          Size: body.length,
          StorageClass: 'STANDARD',
        }
      }),
    },
  })
}

function read(object: S3Object, headers: IncomingHttpHeaders): S3Response {
  const size = object.body.length
  const range = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '')
  if (range === null || (range[1] === '' && range[2] === ''))
    return { status: 200, headers: describe(object, headers), body: object.body }
  const start = range[1] === '' ? Math.max(0, size - Number(range[2])) : Number(range[1])
  const end = range[1] === '' || range[2] === '' ? size - 1 : Math.min(Number(range[2]), size - 1)
  if (start > end) throw new S3Refusal(416, 'InvalidRange', 'The requested range is not satisfiable')
  return {
    status: 206,
    headers: { ...describe(object, {}), 'content-range': `bytes ${start}-${end}/${size}` },
    body: object.body.subarray(start, end + 1),
  }
}

function describe(object: S3Object, asked: IncomingHttpHeaders): Record<string, string> {
  return {
    ...object.headers,
    ...(asked['x-amz-checksum-mode'] === 'ENABLED' ? object.checksums : {}),
    etag: object.etag,
    'last-modified': object.lastModified.toUTCString(),
    'accept-ranges': 'bytes',
  }
}

function keptHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if ((name === 'content-type' || name.startsWith('x-amz-meta-')) && typeof value === 'string') kept[name] = value
  }
  return kept
}

function conditionOf(headers: IncomingHttpHeaders): WriteCondition {
  return { ifNoneMatch: headers['if-none-match'], ifMatch: headers['if-match'] }
}

function claimedParts(document: string): ClaimedPart[] {
  return elementsOf(document, 'Part').map((part) => {
    const checksums: Record<string, string> = {}
    for (const algorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256']) {
      const value = textOf(part, `Checksum${algorithm}`)
      if (value !== null) checksums[`x-amz-checksum-${algorithm.toLowerCase()}`] = value
    }
    return { number: Number(textOf(part, 'PartNumber')), etag: textOf(part, 'ETag') ?? '', checksums }
  })
}

function xml(tree: Parameters<typeof renderXml>[0]): S3Response {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: renderXml(tree) }
}
