import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { compatibilities, RegistryRefusal, Subjects } from './registry/subjects.ts'

/** Whose requests a test registry takes. */
export interface SchemaRegistryServerOptions {
  /** Requests without this name and password are refused. Nobody is asked if left out. */
  readonly auth?: { readonly username: string; readonly password: string }
}

/** What a test registry does wrong, until it is told otherwise. */
export interface SchemaRegistryFaults {
  /** Connections are cut before they are answered. */
  isDown: boolean
  /** How long each answer takes, ms. */
  delayMs: number
  /** Each request is answered with this status of HTTP; null for none. */
  status: number | null
}

/** A running test registry. */
export interface SchemaRegistryServer {
  /** `http://127.0.0.1:…`, what `confluentRegistry` takes. */
  readonly url: string
  /** What it does wrong; changed at any time. */
  readonly faults: SchemaRegistryFaults
  /** Each request that came, refused ones included: `GET /schemas/ids/1`. */
  readonly requests: readonly string[]
  /** Cuts every connection. What was registered is gone with the server. */
  close(): Promise<void>
}

const maxRequestBytes = 4 * 1024 * 1024
const schemaBody = z.object({
  schema: z.string(),
  schemaType: z.string().default('AVRO'),
  references: z.array(z.object({ name: z.string(), subject: z.string(), version: z.int() })).default([]),
})
const levelBody = z.object({ compatibility: z.enum(compatibilities) })

type Handler = (subjects: Subjects, parts: readonly string[], body: unknown) => unknown

/** By method and path, whose parts in parentheses are handed over. */
const routes: readonly (readonly [string, RegExp, Handler])[] = [
  ['GET', /^\/subjects$/, (subjects) => subjects.names()],
  [
    'GET',
    /^\/subjects\/([^/]+)\/versions$/,
    (subjects, [subject]) => subjects.versions(subject as string).map(({ version }) => version),
  ],
  [
    'GET',
    /^\/subjects\/([^/]+)\/versions\/([^/]+)$/,
    (subjects, [subject, version]) => rendered(subjects.version(subject as string, version as string)),
  ],
  [
    'POST',
    /^\/subjects\/([^/]+)\/versions$/,
    (subjects, [subject], body) => ({ id: subjects.register(subject as string, schemaBody.parse(body)) }),
  ],
  [
    'POST',
    /^\/subjects\/([^/]+)$/,
    (subjects, [subject], body) => rendered(subjects.find(subject as string, schemaBody.parse(body))),
  ],
  ['GET', /^\/schemas\/ids\/(\d+)$/, (subjects, [id]) => rendered(subjects.schema(Number(id)))],
  [
    'POST',
    /^\/compatibility\/subjects\/([^/]+)\/versions\/([^/]+)$/,
    (subjects, [subject, version], body) => {
      const other = subjects.version(subject as string, version as string)
      const problems = subjects.problems(subject as string, schemaBody.parse(body), [other])
      return { is_compatible: problems.length === 0, messages: problems }
    },
  ],
  ['GET', /^\/config$/, (subjects) => ({ compatibilityLevel: subjects.level })],
  [
    'PUT',
    /^\/config$/,
    (subjects, _, body) => {
      subjects.level = levelBody.parse(body).compatibility
      return { compatibility: subjects.level }
    },
  ],
  [
    'GET',
    /^\/config\/([^/]+)$/,
    (subjects, [subject]) => ({ compatibilityLevel: subjects.levelOf(subject as string) }),
  ],
  [
    'PUT',
    /^\/config\/([^/]+)$/,
    (subjects, [subject], body) => {
      const { compatibility } = levelBody.parse(body)
      subjects.setLevel(subject as string, compatibility)
      return { compatibility }
    },
  ],
]

/**
 * Starts a schema registry in this process, on the loopback interface and a free port, that keeps everything in memory: for tests of code that speaks Confluent's HTTP
 * interface through any client.
 *
 * Knows subjects, versions, schemas by id, look-up of a schema, references, the levels of compatibility and the check of it; answers 404 to everything else. `BACKWARD`
 * and the other levels are checked for Avro by the rules of schema resolution; schemas of other kinds are kept as they are.
 */
export async function startSchemaRegistry(options: SchemaRegistryServerOptions = {}): Promise<SchemaRegistryServer> {
  const subjects = new Subjects()
  const faults: SchemaRegistryFaults = { isDown: false, delayMs: 0, status: null }
  const requests: string[] = []
  const { auth } = options
  const allowed =
    auth === undefined ? null : `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`

  async function handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (message.url ?? '/').replace(/\?.*$/s, '')
    requests.push(`${message.method} ${path}`)
    if (faults.isDown) return void message.socket.destroy()
    const body = await readAll(message)
    if (body === null) return
    if (faults.delayMs > 0) await sleep(faults.delayMs, undefined, { ref: false })
    const { status, json } = attempt(message, path, body)
    response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
    response.end(JSON.stringify(json))
  }

  function attempt(message: IncomingMessage, path: string, body: Buffer): { status: number; json: unknown } {
    if (faults.status !== null) return refusal(faults.status, faults.status, 'Refused on command of the test.')
    if (allowed !== null && message.headers.authorization !== allowed) return refusal(401, 401, 'Unauthorized')
    for (const [method, pattern, answer] of routes) {
      const match = method === message.method ? pattern.exec(path) : null
      if (match === null) continue
      try {
        const json = body.length === 0 ? undefined : JSON.parse(body.toString())
        return { status: 200, json: answer(subjects, match.slice(1).map(decodeURIComponent), json) }
      } catch (error) {
        if (error instanceof RegistryRefusal) return refusal(error.status, error.code, error.message)
        if (error instanceof z.ZodError || error instanceof SyntaxError) return refusal(422, 42_201, error.message)
        throw error
      }
    }
    return refusal(404, 404, 'HTTP 404 Not Found')
  }

  const server = createServer((message, response) => {
    handle(message, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error))
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    faults,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function refusal(status: number, code: number, message: string) {
  return { status, json: { error_code: code, message } }
}

/** As the registry writes it: what is Avro, or refers to nothing, does not say so. */
function rendered<T extends { readonly schemaType: string; readonly references: readonly unknown[] }>(schema: T) {
  const { schemaType, references, ...rest } = schema
  return {
    ...rest,
    ...(schemaType === 'AVRO' ? {} : { schemaType }),
    ...(references.length === 0 ? {} : { references }),
  }
}

/** The whole body, or null when the client went away before it was sent, or sent too much. */
function readAll(message: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    message.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > maxRequestBytes) message.socket.destroy()
      else chunks.push(chunk)
    })
    message.on('end', () => resolve(message.complete ? Buffer.concat(chunks) : null))
    message.on('error', () => resolve(null))
    message.on('close', () => resolve(null))
  })
}
