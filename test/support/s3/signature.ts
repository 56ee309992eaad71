import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { S3Refusal } from './refusal.ts'
import type { S3Request } from './request.ts'

/** What requests are signed with: `accessKeyId` is sent along, `secretAccessKey` never. */
export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

const MAX_SKEW_MS = 15 * 60_000
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/

/**
 * Throws unless the request is signed with the credentials, by Signature Version 4 in the Authorization header:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
 */
export function verifySignature(request: S3Request, credentials: S3Credentials, region: string, now: number): void {
  const authorization = request.headers.authorization
  if (authorization === undefined) throw new S3Refusal(403, 'AccessDenied', 'The request is not signed.')
  const match = AUTHORIZATION.exec(authorization)
  if (match === null) throw new S3Refusal(400, 'AuthorizationHeaderMalformed', 'The Authorization header is not SigV4.')
  const [, accessKeyId = '', day = '', signedRegion = '', signedHeaders = '', signature = ''] = match
  if (accessKeyId !== credentials.accessKeyId) {
    throw new S3Refusal(403, 'InvalidAccessKeyId', 'The access key id is not known here.')
  }
  if (signedRegion !== region) {
    throw new S3Refusal(
      400,
      'AuthorizationHeaderMalformed',
      `The region '${signedRegion}' is wrong; expecting '${region}'`,
    )
  }
  const time = headerText(request, 'x-amz-date')
  verifyTime(time, day, now)
  const names = signedHeaders.split(';')
  for (const name of ['host', 'x-amz-date', 'x-amz-content-sha256']) {
    if (!names.includes(name)) throw new S3Refusal(403, 'AccessDenied', `The header ${name} is not signed.`)
  }
  const scope = `${day}/${region}/s3/aws4_request`
  const canonical = canonicalRequest(request, names)
  const toSign = ['AWS4-HMAC-SHA256', time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const expected = hmac(signingKey(credentials.secretAccessKey, day, region), toSign)
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) {
    throw new S3Refusal(403, 'SignatureDoesNotMatch', 'The signature does not match; check the secret access key.')
  }
}

function verifyTime(time: string, day: string, now: number): void {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time)
  if (parts === null || !time.startsWith(day))
    throw new S3Refusal(403, 'AccessDenied', 'x-amz-date is not a signing time.')
  const [year, month, date, hour, minute, second] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (Math.abs(now - Date.UTC(year, month - 1, date, hour, minute, second)) > MAX_SKEW_MS) {
    throw new S3Refusal(403, 'RequestTimeTooSkewed', 'The time of the request differs too much from the time here.')
  }
}

function canonicalRequest(request: S3Request, names: readonly string[]): string {
  const query = [...request.query]
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? order(x, y) : order(a, b)))
    .map(([name, value]) => `${name}=${value}`)
  const headers = names.map((name) => `${name}:${headerText(request, name).trim().replace(/ +/g, ' ')}\n`)
  const path = request.path.split('/').map((segment) => encode(decodeURIComponent(segment)))
  const payload = headerText(request, 'x-amz-content-sha256')
  return [request.method, path.join('/'), query.join('&'), headers.join(''), names.join(';'), payload].join('\n')
}

function headerText(request: S3Request, name: string): string {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(',') : (value ?? '')
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function signingKey(secret: string, day: string, region: string): Buffer {
  return hmac(hmac(hmac(hmac(Buffer.from(`AWS4${secret}`), day), region), 's3'), 'aws4_request')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
