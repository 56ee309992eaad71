import { isIP } from 'node:net'
import { userInfo } from 'node:os'
import { ConfigurationError } from '../../runtime/errors.ts'
import { isTlsMode, type TlsMode, tlsModeRefusal } from './tls.ts'

/** An address of PostgreSQL as people write it, taken apart. What is undefined was not said. */
export interface DatabaseUrl {
  /** A name, an address without brackets, or the folder of a socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  /** Undefined leaves it to the password file. */
  readonly password: string | undefined
  readonly database: string
  /** Undefined is no TLS that nobody decided on. */
  readonly sslmode: TlsMode | undefined
  readonly sslrootcert: string | undefined
  readonly sslcert: string | undefined
  readonly sslkey: string | undefined
  readonly requiresChannelBinding: boolean
  readonly options: string | undefined
  readonly applicationName: string | undefined
  readonly connectTimeoutMs: number | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/** The forms of an address, for messages. */
export const databaseUrlForms =
  'postgres://user:password@host:port/database?sslmode=verify-full, with / ? # @ % of a password percent-encoded (%2F %3F %23 %40 %25), ' +
  'or postgres:///database?host=/var/run/postgresql for a socket'

/** What a parameter of an address that is not there falls back to, as in libpq; `uselibpqcompat` asks for what is so anyway. */
const parameters = {
  host: 'PGHOST',
  port: 'PGPORT',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  dbname: 'PGDATABASE',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  channel_binding: 'PGCHANNELBINDING',
  options: 'PGOPTIONS',
  application_name: 'PGAPPNAME',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  client_encoding: null,
  ssl: null,
  uselibpqcompat: null,
} as const satisfies Readonly<Record<string, string | null>>

type Parameter = keyof typeof parameters

/**
 * Reads an address of PostgreSQL. What it leaves out comes from the variables of libpq (PGHOST, PGUSER, PGPASSWORD, PGSSLMODE, …).
 * @throws ConfigurationError that says what is wrong with it, without its password
 */
export function parseDatabaseUrl(text: string, env: Environment = process.env): DatabaseUrl {
  const url = readUrl(text)
  const given = readParameters(url)
  const find = (name: Parameter, inUrl: string | undefined): { text: string; from: string } | undefined => {
    const parameter = given.get(name)
    if (parameter !== undefined) return { text: parameter, from: `the parameter ${name}` }
    if (inUrl !== undefined && inUrl !== '') return { text: inUrl, from: 'the address' }
    const variable = parameters[name]
    const value = variable === null ? undefined : env[variable]
    return value === undefined || value === '' || variable === null ? undefined : { text: value, from: variable }
  }
  const textOf = (name: Parameter, inUrl?: string): string | undefined => find(name, inUrl)?.text
  const user = textOf('user', decoded(url.username, 'user')) ?? userInfo().username
  const sslmode = find('sslmode', given.get('ssl') === 'true' ? 'require' : undefined)
  if (sslmode !== undefined && !isTlsMode(sslmode.text)) throw refusal(tlsModeRefusal(sslmode.text, sslmode.from))
  const binding = textOf('channel_binding')
  return {
    host: hostOf(textOf('host', decoded(url.hostname, 'host')) ?? 'localhost'),
    port: portOf(find('port', url.port)),
    user,
    password: textOf('password', decoded(url.password, 'password')),
    database: textOf('dbname', decoded(url.pathname.replace(/^\/|\/+$/g, ''), 'database')) ?? user,
    sslmode: sslmode?.text as TlsMode | undefined,
    sslrootcert: textOf('sslrootcert'),
    sslcert: textOf('sslcert'),
    sslkey: textOf('sslkey'),
    requiresChannelBinding: binding === 'require',
    options: textOf('options'),
    applicationName: textOf('application_name'),
    connectTimeoutMs: timeoutOf(find('connect_timeout', undefined)),
  }
}

/** Address and database name, without user and password. */
export function databaseLocation({ host, port, database }: Pick<DatabaseUrl, 'host' | 'port' | 'database'>): string {
  if (host.startsWith('/')) return `postgres:///${database}?host=${host}`
  return `postgres://${host.includes(':') ? `[${host}]` : host}:${port}/${database}`
}

/** Whether what goes to the host leaves this machine. */
export function leavesMachine(host: string): boolean {
  if (host.startsWith('/') || host === 'localhost' || host.endsWith('.localhost')) return false
  return isIP(host) === 4 ? !host.startsWith('127.') : host !== '::1'
}

function readUrl(text: string): URL {
  if (!/^postgres(ql)?:\/\//.test(text)) throw refusal('it does not begin with postgres:// or postgresql://')
  const authority = text.slice(text.indexOf('//') + 2).split(/[/?#]/)[0] ?? ''
  const hosts = authority.slice(authority.lastIndexOf('@') + 1)
  if (hosts.includes(',')) throw refusal('it names several hosts, and one is used: name that')
  const port = /:(\d+)$/.exec(hosts)?.[1]
  if (port !== undefined) portOf({ text: port, from: 'the address' })
  if (!URL.canParse(text) || text.includes('#')) {
    throw refusal('it cannot be taken apart; most often a password holds a character that has to be percent-encoded')
  }
  return new URL(text)
}

function readParameters(url: URL): ReadonlyMap<Parameter, string> {
  const found = new Map<Parameter, string>()
  for (const part of url.search.slice(1).split('&')) {
    if (part === '') continue
    const [name = '', ...rest] = part.split('=')
    if (!isParameter(name)) {
      throw refusal(`there is no parameter ${JSON.stringify(name)}; there are ${Object.keys(parameters).join(', ')}`)
    }
    found.set(name, decoded(rest.join('='), `parameter ${name}`) ?? '')
  }
  const encoding = found.get('client_encoding')
  if (encoding !== undefined && !/^(utf-?8|unicode|auto)$/i.test(encoding)) {
    throw refusal(`client_encoding ${encoding} cannot hold every name: leave it out, UTF8 is what is used`)
  }
  return found
}

function isParameter(name: string): name is Parameter {
  return Object.hasOwn(parameters, name)
}

function decoded(text: string, what: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refusal(`its ${what} holds a % that begins no character: write %25 for it`)
  }
}

/** Of an IPv6 address the brackets are the URL's. */
function hostOf(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

function portOf(found: { text: string; from: string } | undefined): number {
  if (found === undefined) return 5432
  const port = Number(found.text)
  if (/^\d{1,5}$/.test(found.text) && port >= 1 && port <= 65_535) return port
  throw refusal(`port ${found.text} (${found.from}) is not allowed; allowed: a whole number from 1 to 65535`)
}

function timeoutOf(found: { text: string; from: string } | undefined): number | undefined {
  if (found === undefined || found.text === '0') return undefined
  if (/^\d{1,4}$/.test(found.text)) return Number(found.text) * 1_000
  throw refusal(`connect_timeout ${found.text} (${found.from}) is not allowed; allowed: whole seconds`)
}

function refusal(why: string): ConfigurationError {
  return new ConfigurationError(`no address of PostgreSQL that can be used: ${why}; allowed: ${databaseUrlForms}`)
}
