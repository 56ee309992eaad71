import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { S3Buckets, type S3Object } from './s3/buckets.ts'
import { S3Faults } from './s3/faults.ts'
import { perform } from './s3/operations.ts'
import { verifyPayload } from './s3/payload.ts'
import { S3Refusal } from './s3/refusal.ts'
import { parseRequest, type S3Operation, type S3Request, type S3Response } from './s3/request.ts'
import { type S3Credentials, verifySignature } from './s3/signature.ts'
import { renderXml } from './s3/xml.ts'

/** What the test server holds at the start, and whose requests it takes. */
export interface S3ServerOptions {
  /** Buckets that exist from the start; `test` unless told otherwise. */
  readonly buckets?: readonly string[]
  /** Requests signed with others are refused. `test-access-key` and `test-secret-key` unless told otherwise. */
  readonly credentials?: S3Credentials
  /** Requests must be signed for it; `us-east-1` unless told otherwise. */
  readonly region?: string
  /** False makes a server that ignores `If-None-Match`, as some do. */
  readonly conditionalWrites?: boolean
}

/** A running test server. */
export interface S3Server {
  /** `http://127.0.0.1:…`; clients need path-style addressing. */
  readonly endpoint: string
  /** For the client that signs. */
  readonly region: string
  /** For the client that signs. */
  readonly credentials: S3Credentials
  /** Orders faults for the next requests. */
  readonly faults: S3Faults
  /** What is in a bucket now. Throws where there is no such bucket. */
  objects(bucket: string): ReadonlyMap<string, S3Object>
  /** How often each operation was asked for, refused requests included. */
  readonly counts: ReadonlyMap<S3Operation, number>
  /** How many multipart uploads were begun and neither completed nor aborted. */
  readonly unfinishedUploads: number
  /** Cuts every connection. What was stored is gone with the server. */
  close(): Promise<void>
}

/**
 * Starts an S3 server in this process, on the loopback interface and a free port, that keeps everything in memory:
 * for tests of code that speaks S3 through any client.
 *
 * As strict as S3 where tests depend on it: signatures (version 4 in the header) and every checksum are verified, a
 * request is applied whole or not at all (a connection cut in the middle leaves nothing), conditional writes and
 * multipart uploads keep their rules. Knows buckets, objects, ranges, multipart uploads and `ListObjectsV2` without a
 * delimiter; answers 501 to everything else.
 */
export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const credentials = options.credentials ?? { accessKeyId: 'test-access-key', secretAccessKey: 'test-secret-key' }
  const region = options.region ?? 'us-east-1'
  const buckets = new S3Buckets(options.conditionalWrites ?? true)
  for (const bucket of options.buckets ?? ['test']) buckets.create(bucket)
  const faults = new S3Faults()
  const counts = new Map<S3Operation, number>()

  async function handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = parseRequest(message.method ?? '', message.url ?? '/', message.headers)
    counts.set(request.operation, (counts.get(request.operation) ?? 0) + 1)
    const fault = faults.take(request.operation)
    if (fault?.kind === 'drop' && fault.when === 'before') return void message.socket.destroy()
    const raw = await readAll(message)
    if (raw === null) return
    if (fault?.kind === 'delay') await sleep(fault.ms, undefined, { ref: false })
    const answer =
      fault?.kind === 'fail'
        ? refused(new S3Refusal(fault.status, fault.code, 'Refused on command of the test.'), request)
        : attempt(request, raw)
    if (fault?.kind === 'drop') return void message.socket.destroy()
    response.writeHead(answer.status, { 'x-amz-request-id': 'test', ...answer.headers })
    response.end(request.method === 'HEAD' ? undefined : answer.body)
  }

  function attempt(request: S3Request, raw: Buffer): S3Response {
    try {
      verifySignature(request, credentials, region, Date.now())
      return perform(buckets, request, verifyPayload(raw, request.headers))
    } catch (error) {
      if (error instanceof S3Refusal) return refused(error, request)
      throw error
    }
  }

  const server = createServer((message, response) => {
    handle(message, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })
  await listen(server)
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    region,
    credentials,
    faults,
    counts,
    objects: (bucket) => buckets.objects(bucket),
    get unfinishedUploads() {
      return buckets.unfinishedUploads
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
}

/** The whole body, or null when the client went away before it was sent. */
function readAll(message: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    message.on('data', (chunk: Buffer) => chunks.push(chunk))
    message.on('end', () => resolve(message.complete ? Buffer.concat(chunks) : null))
    message.on('error', () => resolve(null))
    message.on('close', () => resolve(null))
  })
}

function refused({ status, code, message }: S3Refusal, { path }: S3Request): S3Response {
  const body = renderXml({ Error: { Code: code, Message: message, Resource: path, RequestId: 'test' } })
  return { status, headers: { 'content-type': 'application/xml' }, body }
}
