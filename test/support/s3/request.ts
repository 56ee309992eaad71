import type { IncomingHttpHeaders } from 'node:http'

/** What a request asks for, in S3's words; `Unknown` is answered with 501. */
export type S3Operation =
  | 'ListBuckets'
  | 'CreateBucket'
  | 'HeadBucket'
  | 'DeleteBucket'
  | 'ListObjectsV2'
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'Unknown'

export interface S3Request {
  readonly operation: S3Operation
  readonly method: string
  /** As it came: percent-encoded. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly bucket: string
  readonly key: string
}

export interface S3Response {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: Buffer | string
}

/** What is asked for, by method, path (`/bucket/key`) and query. */
export function parseRequest(method: string, url: string, headers: IncomingHttpHeaders): S3Request {
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  const [, bucket = '', key = ''] = /^\/([^/]*)\/?(.*)$/s.exec(path) ?? []
  const parts = { method, path, query, headers, bucket: decodeURIComponent(bucket), key: decodeURIComponent(key) }
  return { ...parts, operation: operationOf(parts) }
}

function operationOf({ method, query, bucket, key }: Omit<S3Request, 'operation'>): S3Operation {
  if (bucket === '') return method === 'GET' ? 'ListBuckets' : 'Unknown'
  if (key === '') return bucketOperation(method, query)
  if (query.has('uploadId')) return uploadOperation(method, query)
  if (method === 'POST' && query.has('uploads')) return 'CreateMultipartUpload'
  if (method === 'PUT') return 'PutObject'
  if (method === 'GET') return 'GetObject'
  if (method === 'HEAD') return 'HeadObject'
  return method === 'DELETE' ? 'DeleteObject' : 'Unknown'
}

function bucketOperation(method: string, query: URLSearchParams): S3Operation {
  if (method === 'GET') return query.get('list-type') === '2' ? 'ListObjectsV2' : 'Unknown'
  if (method === 'PUT') return 'CreateBucket'
  if (method === 'HEAD') return 'HeadBucket'
  return method === 'DELETE' ? 'DeleteBucket' : 'Unknown'
}

function uploadOperation(method: string, query: URLSearchParams): S3Operation {
  if (method === 'PUT' && query.has('partNumber')) return 'UploadPart'
  if (method === 'POST') return 'CompleteMultipartUpload'
  return method === 'DELETE' ? 'AbortMultipartUpload' : 'Unknown'
}
