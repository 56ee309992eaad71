import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import { z } from 'zod'
import { readRunReports } from '../queries/runReports.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { asMillraceError } from '../sinks/postgres/errors.ts'
import { DataSets, type DataSetsOptions } from './dataSets.ts'
import { Guard, type GuardOptions, type Refusal } from './guard.ts'
import { LiveHub } from './liveHub.ts'
import { openApi } from './openApi.ts'
import { type PageFile, readPages } from './pageFiles.ts'
import { PipelineWatch } from './pipelineWatch.ts'
import { isTextAnswer, type Redrive, type RouteContext, RouteError } from './route.ts'
import { routeTable } from './routes.ts'

/** Where the console listens, what it shows, and who may look. */
export interface ConsoleOptions extends GuardOptions, DataSetsOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** True where another one is taken while that is not free. */
  readonly mayMove: boolean
  readonly version: string
  readonly redrive: Redrive
  /** Told what went wrong that no page can help. */
  readonly onError: (line: string) => void
  readonly clock?: Clock
  /** The built pages; those of the package unless told otherwise. */
  readonly pages?: ReadonlyMap<string, PageFile>
}

/** A console that answers. */
export interface RunningConsole {
  /** Such as `http://127.0.0.1:4180/`. */
  readonly url: string
  readonly port: number
  /** How many pages are connected. */
  clients(): number
  /** The most that one of them has not read yet, bytes. */
  mostUnreadBytes(): number
  close(): Promise<void>
}

const mostClients = 200
const mostBodyBytes = 1_000_000
const mostMessageBytes = 16_384
const requestTimeoutMs = 30_000
const wrongTokenWaitMs = 500

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const safetyHeaders = {
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
} as const

const session = z.object({ token: z.string().max(1_000) })

/**
 * Serves the console until it is closed: its pages, what they ask for, and what is pushed to them. Reads the database only, and only while somebody looks.
 * @throws ConfigurationError where others could reach it without a token, or the port is taken
 */
export async function serveConsole(options: ConsoleOptions): Promise<RunningConsole> {
  const guard = new Guard(options)
  const clock = options.clock ?? systemClock
  const pages = options.pages ?? readPages()
  const dataSets = new DataSets(options)
  const hub = new LiveHub(dataSets, clock, options.version)
  const asked = new PipelineWatch()
  const context: RouteContext = {
    dataSets,
    version: options.version,
    now: () => clock.now(),
    redrive: options.redrive,
    pipelines: async () => {
      for (const { schema } of await dataSets.look()) {
        const pool = dataSets.poolOf(schema)
        if (pool !== null) asked.take(schema, await readRunReports(pool), clock.now())
      }
      return asked.views(clock.now())
    },
  }
  const app: App = { guard, pages, context, options }
  const server = createServer(
    { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs },
    (request, response) => {
      void respond(app, request, response).catch((error: unknown) => fail(app, response, error))
    },
  )
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: mostMessageBytes,
    perMessageDeflate: false,
    clientTracking: false,
  })
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    const refusal = refuseUpgrade(app, hub, request)
    if (refusal !== null) refuseSocket(socket, refusal)
    else sockets.handleUpgrade(request, socket, head, (opened) => hub.add(opened))
  })
  const port = await listen(server, options)
  guard.listensOn(port)
  return {
    url: `http://${isIP(options.host) === 6 ? `[${options.host}]` : options.host}:${port}/`,
    port,
    clients: () => hub.clients,
    mostUnreadBytes: () => hub.mostUnreadBytes,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await hub.close()
      sockets.close()
      server.closeAllConnections()
      await closed
      await dataSets.close()
    },
  }
}

interface App {
  readonly guard: Guard
  readonly pages: ReadonlyMap<string, PageFile>
  readonly context: RouteContext
  readonly options: ConsoleOptions
}

async function listen(server: Server, { host, port, mayMove }: ConsoleOptions): Promise<number> {
  const attempt = (wanted: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(wanted, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
  try {
    await attempt(port)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code === 'EADDRINUSE' && mayMove) await attempt(0)
    else if (code === 'EADDRINUSE') {
      throw new ConfigurationError(`port ${port} is taken: name another with --console-port, or 0 for a free one`)
    } else if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EACCES') {
      throw new ConfigurationError(
        `the console cannot listen on ${host}, port ${port} (${String(code)}): name an address of this machine`,
        {
          cause: error,
        },
      )
    } else throw error
  }
  return (server.address() as { readonly port: number }).port
}

async function respond(app: App, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { guard, pages } = app
  const refusal = guard.checkPlace(request)
  if (refusal !== null) return refuse(response, refusal)
  const url = new URL(request.url ?? '/', 'http://console')
  const path = url.pathname.slice(1)
  if (path.startsWith('api/')) return answer(app, request, response, path, url)
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return sendError(response, 405, 'METHOD', 'pages are read by GET')
  }
  const page = pages.get(path)
  if (page === undefined) {
    if (pages.size === 0)
      return sendError(response, 503, 'PAGES', 'the pages of the console are not built: `npm run build` does that')
    return sendError(response, 404, 'PATH', 'there is no such page')
  }
  sendPage(app, request, response, page, path === '')
}

function sendPage(
  app: App,
  request: IncomingMessage,
  response: ServerResponse,
  page: PageFile,
  isIndex: boolean,
): void {
  const headers = {
    ...safetyHeaders,
    'content-type': page.type,
    'cache-control': page.isForEver ? 'public, max-age=31536000, immutable' : 'no-cache',
    etag: page.etag,
    vary: 'accept-encoding',
    // Whoever loads the page may change something through it; where a token is asked for, that comes first.
    ...(isIndex && !app.guard.asksForToken ? { 'set-cookie': app.guard.cookie() } : {}),
  }
  if (request.headers['if-none-match'] === page.etag) {
    response.writeHead(304, headers).end()
    return
  }
  const isZipped = (request.headers['accept-encoding'] ?? '').includes('gzip')
  const bytes = isZipped ? page.zipped : page.bytes
  response.writeHead(200, {
    ...headers,
    'content-length': bytes.length,
    ...(isZipped ? { 'content-encoding': 'gzip' } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

async function answer(
  app: App,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  url: URL,
): Promise<void> {
  const { guard, context } = app
  if (path === 'api/session') return beginSession(app, request, response)
  const unread = guard.checkReader(request)
  if (unread !== null) return refuse(response, unread)
  if (path === 'api/openapi.json' && request.method === 'GET') {
    return sendJson(response, 200, openApi(routeTable, context.version))
  }
  const found = routeTable.filter((one) => one.path === path)
  const route = found.find(({ method }) => method === request.method)
  if (route === undefined) {
    return found.length === 0
      ? sendError(response, 404, 'PATH', `there is no ${path}; api/openapi.json lists what there is`)
      : sendError(response, 405, 'METHOD', `${path} takes ${found.map(({ method }) => method).join(' or ')}`)
  }
  if (route.method === 'POST') {
    const refusal = guard.checkWriter(request)
    if (refusal !== null) return refuse(response, refusal)
  }
  const query = route.query.strict().safeParse(Object.fromEntries(url.searchParams))
  if (!query.success) return sendError(response, 400, 'QUERY', z.prettifyError(query.error))
  const body = route.body === null ? null : await readBody(request)
  const checked = route.body === null ? { success: true as const, data: null } : route.body.safeParse(body)
  if (!checked.success) return sendError(response, 400, 'BODY', z.prettifyError(checked.error))
  if (context.dataSets.known.length === 0) await context.dataSets.look()
  const given = await route.handle(context, { query: query.data, body: checked.data })
  if (!isTextAnswer(given)) return sendJson(response, 200, given)
  response.writeHead(200, {
    ...safetyHeaders,
    'content-type': `${given.type}; charset=utf-8`,
    'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(given.fileName)}`,
    'cache-control': 'no-store',
  })
  response.end(given.text)
}

/** The token becomes a cookie, and is in no address. */
async function beginSession({ guard }: App, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'POST') return sendError(response, 405, 'METHOD', 'a session is begun by POST')
  const given = session.safeParse(await readBody(request))
  if (!given.success) return sendError(response, 400, 'BODY', 'give the token: {"token": "…"}')
  if (!guard.isToken(given.data.token)) {
    await sleep(wrongTokenWaitMs)
    return sendError(
      response,
      403,
      'TOKEN',
      'this is not the token of the console (MILLRACE_CONSOLE_TOKEN where it runs)',
    )
  }
  response.writeHead(204, { ...safetyHeaders, 'set-cookie': guard.cookie(), 'cache-control': 'no-store' })
  response.end()
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim()
  if (type !== 'application/json') throw new RouteError(400, 'give the body as application/json')
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request) {
    bytes += (part as Buffer).length
    if (bytes > mostBodyBytes) throw new RouteError(400, `the body is larger than ${mostBodyBytes} bytes`)
    parts.push(part as Buffer)
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8'))
  } catch {
    throw new RouteError(400, 'the body is no JSON')
  }
}

function refuseUpgrade(
  { guard }: App,
  hub: LiveHub,
  request: IncomingMessage,
): Refusal | { readonly status: 404 | 503 } | null {
  const refusal = guard.checkPlace(request) ?? guard.checkReader(request)
  if (refusal !== null) return refusal
  if (new URL(request.url ?? '/', 'http://console').pathname !== '/api/live') return { status: 404 }
  return hub.clients >= mostClients ? { status: 503 } : null
}

function refuseSocket(socket: Duplex, { status }: { readonly status: number }): void {
  const words: Readonly<Record<number, string>> = {
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'Not Found',
    503: 'Service Unavailable',
  }
  socket.end(`HTTP/1.1 ${status} ${words[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

function refuse(response: ServerResponse, { status, code, message }: Refusal): void {
  sendError(response, status, code, message)
}

function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  sendJson(response, status, { error: { code, message } })
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { ...safetyHeaders, 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(JSON.stringify(value))
}

function fail({ options }: App, response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
  } else if (error instanceof RouteError) {
    sendError(response, error.status, 'REQUEST', error.message)
  } else if (error instanceof ConfigurationError) {
    sendError(response, 400, error.code, error.message)
  } else if (isMistake(error)) {
    options.onError(`a mistake of the console: ${(error as Error).stack}`)
    sendError(response, 500, 'MISTAKE', 'the console made a mistake; it says more where it runs')
  } else {
    const known = asMillraceError(error, 'read what the console was asked for')
    options.onError(`the console could not answer: ${known.message}`)
    sendError(response, 503, known.code, known.message)
  }
}

/** What no database says. */
function isMistake(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
}
