import { randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'

/** A real S3 server that somebody has started, and who asks there. */
export interface RealS3 {
  readonly endpoint: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

const {
  MILLRACE_TEST_S3_ENDPOINT: endpoint,
  MILLRACE_TEST_S3_ACCESS_KEY: accessKeyId,
  MILLRACE_TEST_S3_SECRET: secretAccessKey,
} = process.env

/** Null where none was started. */
export const realS3: RealS3 | null =
  endpoint === undefined || accessKeyId === undefined || secretAccessKey === undefined
    ? null
    : { endpoint, credentials: { accessKeyId, secretAccessKey } }

/** So that the list of skipped tests says what is missing. */
export const s3Title = (title: string) =>
  realS3 === null ? `${title} (needs MILLRACE_TEST_S3_ENDPOINT, _ACCESS_KEY and _SECRET)` : title

/** Throws where no server was started. */
export function requiredS3(): RealS3 {
  if (realS3 === null) throw new Error('no real S3 server')
  return realS3
}

/** A bucket that no other test uses. */
export async function ownBucket(): Promise<string> {
  const bucket = `millrace-${randomUUID()}`
  const client = new S3Client({ ...requiredS3(), region: 'us-east-1', forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
  return bucket
}

/** As the command reads it from its environment. */
export function s3Environment(at: string = requiredS3().endpoint): Record<string, string> {
  const { accessKeyId: id, secretAccessKey: secret } = requiredS3().credentials
  return { AWS_ENDPOINT_URL_S3: at, AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret }
}

/** What a server answers by itself to requests with such headers; null lets them through. */
export type Refuses = (method: string, headers: IncomingHttpHeaders) => { status: number; body: string } | null

/** The real server with a taste of its own, as of other makers' servers: requests that it likes are handed on letter by letter. */
export async function pickyS3(refuses: Refuses): Promise<{ endpoint: string; close(): Promise<void> }> {
  const to = new URL(requiredS3().endpoint)
  const server = createServer((message, response) => {
    const refused = refuses(message.method ?? '', message.headers)
    if (refused !== null) {
      message.resume()
      response.writeHead(refused.status, { 'content-type': 'application/xml' }).end(refused.body)
      return
    }
    const { url, method, headers } = message
    const handedOn = request({ host: to.hostname, port: to.port, path: url, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    handedOn.on('error', () => response.destroy())
    message.pipe(handedOn)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
