import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import type pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import type { LakePlace } from './lakeCommit.ts'

/** Where the catalog listens. */
export interface CatalogAddress {
  /** `127.0.0.1` unless told otherwise. */
  readonly host: string
  /** 0 takes one that is free. */
  readonly port: number
  /** Clients have to give it as a bearer token. Needed wherever others can reach the port. */
  readonly token?: string | undefined
}

/** A catalog that answers. */
export interface RunningCatalog {
  /** Such as `http://127.0.0.1:8181`. */
  readonly url: string
  /** Ends when what is being answered is. */
  close(): Promise<void>
}

const prefix = 'millrace'
const endpoints = [
  'GET /v1/{prefix}/namespaces',
  'GET /v1/{prefix}/namespaces/{namespace}',
  'HEAD /v1/{prefix}/namespaces/{namespace}',
  'GET /v1/{prefix}/namespaces/{namespace}/tables',
  'GET /v1/{prefix}/namespaces/{namespace}/tables/{table}',
  'HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}',
]
const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])
const shortestToken = 32

/** An answer: a status, and JSON text unless there is nothing to say. */
interface Answer {
  readonly status: number
  readonly body?: string
}

/**
 * Serves the lake as an Iceberg REST catalog, for reading: what DuckDB, Trino, Spark, ClickHouse and pyiceberg attach to. Tables are committed by Millrace alone.
 * @see "https://iceberg.apache.org/rest-catalog-spec/"
 * @throws ConfigurationError where others could reach it without a token
 */
export async function serveCatalog(
  pool: pg.Pool,
  place: LakePlace,
  { host, port, token }: CatalogAddress,
  onError: (error: unknown) => void,
): Promise<RunningCatalog> {
  if (token !== undefined && token.length < shortestToken) {
    throw new ConfigurationError(`the token of the lake's catalog has to have ${shortestToken} characters or more`)
  }
  if (token === undefined && !loopback.has(host)) {
    throw new ConfigurationError(
      `on ${host} others can reach the lake's catalog: give it a token of ${shortestToken} characters or more`,
    )
  }
  const server = createServer((request, response) => {
    void answer(pool, place, request, token)
      .catch((error: unknown): Answer => {
        onError(error)
        return failure(
          500,
          'ServerError',
          'the catalog could not read its database or its store; it says more where it runs',
        )
      })
      .then((given) => send(response, given))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const bound = server.address() as { port: number }
  return {
    url: `http://${isIP(host) === 6 ? `[${host}]` : host}:${bound.port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)))
        server.closeIdleConnections()
      }),
  }
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(body)
}

async function answer(
  pool: pg.Pool,
  place: LakePlace,
  request: IncomingMessage,
  token: string | undefined,
): Promise<Answer> {
  if (token === undefined && !loopback.has(hostNameOf(request.headers.host ?? ''))) {
    return failure(403, 'ForbiddenException', 'this catalog answers to 127.0.0.1 and localhost only')
  }
  if (token !== undefined && !isSame(request.headers.authorization ?? '', `Bearer ${token}`)) {
    return failure(401, 'NotAuthorizedException', 'this catalog wants its token as a bearer token')
  }
  const { method = 'GET' } = request
  const url = new URL(request.url ?? '/', 'http://catalog')
  const [version, ...rest] = url.pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decoded)
  if (version !== 'v1') return failure(404, 'NotFoundException', 'there is nothing but /v1')
  if (method !== 'GET' && method !== 'HEAD') {
    return failure(
      405,
      'UnsupportedOperationException',
      'this catalog is for reading: Millrace commits its tables itself',
    )
  }
  if (rest[0] === 'config') return ok({ defaults: {}, overrides: { prefix }, endpoints })
  const [root, namespace, kind, table, ...more] = rest[0] === prefix ? rest.slice(1) : rest
  if (root !== 'namespaces' || more.length > 0) return failure(404, 'NotFoundException', 'no such address')
  if (namespace === undefined) {
    if (url.searchParams.has('parent')) return ok({ namespaces: [] })
    return ok({ namespaces: (await namespacesOf(pool, place)).map((name) => [name]) })
  }
  if (!(await namespacesOf(pool, place)).includes(namespace)) {
    const name = namespace.replaceAll('\u001f', '.')
    // Asked for lake.market.trades.snapshots, Spark looks for a table of that name first, and for what is known of market.trades once it is told that there is none.
    return kind === 'tables' && table !== undefined
      ? failure(404, 'NoSuchTableException', `there is no table ${name}.${table}`)
      : failure(404, 'NoSuchNamespaceException', `there is no namespace ${name}`)
  }
  if (kind === undefined) return method === 'HEAD' ? { status: 204 } : ok({ namespace: [namespace], properties: {} })
  if (kind === 'views') return ok({ identifiers: [] })
  if (kind !== 'tables') return failure(404, 'NotFoundException', 'no such address')
  const tables = await tablesOf(pool, place, namespace)
  if (table === undefined)
    return ok({ identifiers: [...tables.keys()].map((name) => ({ namespace: [namespace], name })) })
  const location = tables.get(table)
  if (location === undefined) return failure(404, 'NoSuchTableException', `there is no table ${namespace}.${table}`)
  if (method === 'HEAD') return { status: 204 }
  const metadata = await place.store.get(location.slice(place.store.location.length + 1))
  if (metadata === null) throw new Error(`${location} is in the catalog, and not in the store`)
  return {
    status: 200,
    body: `{"metadata-location":${JSON.stringify(location)},"metadata":${metadata.toString()},"config":{}}`,
  }
}

async function namespacesOf(pool: pg.Pool, { catalog }: LakePlace): Promise<readonly string[]> {
  const { rows } = await pool.query<{ namespace: string }>(
    'SELECT DISTINCT namespace FROM iceberg_namespace_properties WHERE catalog_name = $1 ORDER BY namespace',
    [catalog],
  )
  return rows.map(({ namespace }) => namespace)
}

async function tablesOf(
  pool: pg.Pool,
  { catalog }: LakePlace,
  namespace: string,
): Promise<ReadonlyMap<string, string>> {
  const { rows } = await pool.query<{ name: string; location: string }>(
    `SELECT table_name AS name, metadata_location AS location FROM iceberg_tables
     WHERE catalog_name = $1 AND table_namespace = $2 ORDER BY table_name`,
    [catalog, namespace],
  )
  return new Map(rows.map(({ name, location }) => [name, location]))
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** `localhost` of `localhost:8181`. */
function hostNameOf(header: string): string {
  return header.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
}

function isSame(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function ok(body: object): Answer {
  return { status: 200, body: JSON.stringify(body) }
}

function failure(code: number, type: string, message: string): Answer {
  return { status: code, body: JSON.stringify({ error: { message, type, code } }) }
}
