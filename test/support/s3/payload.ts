import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { crc32 } from 'node:zlib'
import { crc32c } from '../../../src/sources/recordBatch/crc32c.ts'
import { S3Refusal } from './refusal.ts'

/** A body as it was meant, and the checksums that came with it (`x-amz-checksum-crc32` → base64). */
export interface Payload {
  readonly body: Buffer
  readonly checksums: Readonly<Record<string, string>>
}

const CHECKSUM_PREFIX = 'x-amz-checksum-'
/** Said along with checksums without being one. */
const NOT_CHECKSUMS = new Set(['x-amz-checksum-algorithm', 'x-amz-checksum-mode', 'x-amz-checksum-type'])

const ALGORITHMS: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  crc32: (body) => uint32(crc32(body)),
  crc32c: (body) => uint32(crc32c(body)),
  sha1: (body) => createHash('sha1').update(body).digest(),
  sha256: (body) => createHash('sha256').update(body).digest(),
}

/**
 * The body without its transfer coding, after every checksum that came with it was found right. Throws what S3 would
 * answer. https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
 */
export function verifyPayload(raw: Buffer, headers: IncomingHttpHeaders): Payload {
  const kind = String(headers['x-amz-content-sha256'] ?? '')
  const { body, trailers } = kind.startsWith('STREAMING-')
    ? decodeStream(raw, kind, headers)
    : { body: raw, trailers: {} }
  if (/^[0-9a-f]{64}$/.test(kind) && createHash('sha256').update(body).digest('hex') !== kind) {
    throw new S3Refusal(400, 'XAmzContentSHA256Mismatch', 'The sha256 of the body is not the one that was signed.')
  }
  const md5 = headers['content-md5']
  if (md5 !== undefined && createHash('md5').update(body).digest('base64') !== md5) {
    throw new S3Refusal(400, 'BadDigest', 'The Content-MD5 does not match the body.')
  }
  const checksums: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...headers, ...trailers })) {
    if (!name.startsWith(CHECKSUM_PREFIX) || NOT_CHECKSUMS.has(name) || typeof value !== 'string') continue
    const algorithm = ALGORITHMS[name.slice(CHECKSUM_PREFIX.length)]
    if (algorithm === undefined) throw new S3Refusal(501, 'NotImplemented', `The test server does not know ${name}.`)
    if (algorithm(body).toString('base64') !== value) {
      throw new S3Refusal(400, 'BadDigest', `The ${name} you specified did not match the calculated checksum.`)
    }
    checksums[name] = value
  }
  return { body, checksums }
}

/** aws-chunked: `size-in-hex CRLF bytes CRLF` … `0 CRLF`, then trailers. */
function decodeStream(
  raw: Buffer,
  kind: string,
  headers: IncomingHttpHeaders,
): { body: Buffer; trailers: Record<string, string> } {
  if (kind !== 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') {
    throw new S3Refusal(501, 'NotImplemented', `The test server does not verify the chunk signatures of ${kind}.`)
  }
  const chunks: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = raw.indexOf('\r\n', at, 'latin1')
    const size = Number.parseInt(raw.toString('latin1', at, Math.max(at, lineEnd)), 16)
    if (lineEnd < 0 || Number.isNaN(size)) throw incomplete('A chunk has no size.')
    at = lineEnd + 2
    if (size === 0) break
    if (at + size + 2 > raw.length) throw incomplete('A chunk is shorter than its size.')
    chunks.push(raw.subarray(at, at + size))
    at += size + 2
  }
  const body = Buffer.concat(chunks)
  if (String(body.length) !== headers['x-amz-decoded-content-length']) {
    throw incomplete('The body does not have the length of x-amz-decoded-content-length.')
  }
  const trailers: Record<string, string> = {}
  for (const line of raw.toString('latin1', at).split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) trailers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim()
  }
  for (const name of String(headers['x-amz-trailer'] ?? '').split(',')) {
    if (name !== '' && trailers[name.trim().toLowerCase()] === undefined)
      throw incomplete(`The trailer ${name} is missing.`)
  }
  return { body, trailers }
}

function incomplete(message: string): S3Refusal {
  return new S3Refusal(400, 'IncompleteBody', message)
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}
