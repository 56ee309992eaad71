import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import { ConfigurationError } from '../../runtime/errors.ts'

/** Where the door is, and what it asks for. */
export interface DoorAddress {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly token: string | undefined
}

/** What stands behind the door. */
export interface DoorAnswers {
  metrics(): Promise<string>
  /** In words, what is not as it should be; none where it is ready. */
  problems(): Promise<readonly { readonly code: string; readonly text: string }[]>
  /** Told why one of the two could not be answered. */
  onError(error: unknown): void
}

export interface Door {
  readonly url: string
  close(): Promise<void>
}

const loopback = new Set(['127.0.0.1', '::1', 'localhost', '[::1]'])

/** Opens /metrics, /healthz and /readyz. Throws `ConfigurationError` where others could reach them without a token. */
export async function openDoor({ host, port, token }: DoorAddress, answers: DoorAnswers): Promise<Door> {
  if (token === undefined && !loopback.has(host)) {
    throw new ConfigurationError(
      `on ${host} others can reach the metrics: set MILLRACE_METRICS_TOKEN to 32 characters or more, or listen on 127.0.0.1.`,
    )
  }
  const server = createServer((request, response) => {
    answer(request, response, token, answers).catch((error: unknown) => {
      // Who asks is told where to look; the words may be of a server that is not ours.
      send(response, 500, 'text/plain', 'it could not be measured; the monitor says why where it runs\n')
      answers.onError(error)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new ConfigurationError(
              `port ${port} of ${host} is taken: name another with --metrics-port (0 takes a free one).`,
            )
          : error,
      ),
    )
    server.listen(port, host, resolve)
  })
  const bound = server.address() as { port: number }
  return {
    url: `http://${isIP(host) === 6 ? `[${host}]` : host}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(
  { method, url = '/', headers }: IncomingMessage,
  response: ServerResponse,
  token: string | undefined,
  answers: DoorAnswers,
): Promise<void> {
  const { pathname } = new URL(url, 'http://door')
  if (method !== 'GET' && method !== 'HEAD') return send(response, 405, 'text/plain', 'only GET\n')
  // Whether this process is alive is nobody's secret, and depends on nobody.
  if (pathname === '/healthz') return send(response, 200, 'text/plain', 'ok\n')
  if (token === undefined && !loopback.has(hostNameOf(headers.host ?? '')))
    return send(response, 403, 'text/plain', 'this door answers to 127.0.0.1 and localhost only\n')
  if (token !== undefined && !isSame(headers.authorization ?? '', `Bearer ${token}`))
    return send(response, 401, 'text/plain', 'the token is missing or another one\n')
  if (pathname === '/metrics')
    return send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await answers.metrics())
  if (pathname === '/readyz') {
    const problems = await answers.problems()
    const body = JSON.stringify({ ready: problems.length === 0, problems })
    return send(response, problems.length === 0 ? 200 : 503, 'application/json', `${body}\n`)
  }
  send(response, 404, 'text/plain', 'there are /metrics, /healthz and /readyz\n')
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
  response.end(body)
}

function hostNameOf(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase()
}

function isSame(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)]
  return a.length === b.length && timingSafeEqual(a, b)
}
