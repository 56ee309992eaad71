import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'
import { ConfigurationError } from '../runtime/errors.ts'

/** Where a console listens and who may look. */
export interface GuardOptions {
  /** The address that it listens on. */
  readonly host: string
  /** Asked for of everybody; null asks for none, which only an address of loopback allows. */
  readonly token: string | null
  /** Further names that it is reached by, such as that of a proxy. */
  readonly hostNames: readonly string[]
}

/** Why a request is refused. */
export interface Refusal {
  readonly status: 401 | 403
  readonly code: 'HOST' | 'ORIGIN' | 'TOKEN' | 'SESSION'
  readonly message: string
}

export const shortestToken = 32
/** A page sends it with what changes something; a form of another site cannot. */
export const writeHeader = 'x-millrace-console'

const loopback: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])
const everywhere: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/**
 * Decides who is answered. Loopback is no border: a page of another site reaches it through the browser, under a name of its own (then `Host` tells) or as itself (then
 * `Origin` does). Whoever listens elsewhere asks for a token, which becomes a cookie that scripts cannot read.
 * @throws ConfigurationError where others could reach it without a token, and on a token that is short
 */
export class Guard {
  readonly #names: ReadonlySet<string>
  readonly #token: string | null
  readonly #session: string
  #cookie = 'millrace_console'

  constructor({ host, token, hostNames }: GuardOptions) {
    if (token !== null && token.length < shortestToken) {
      throw new ConfigurationError(
        `the token of the console has ${token.length} characters: give it ${shortestToken} or more (MILLRACE_CONSOLE_TOKEN), such as \`openssl rand -hex 32\` makes`,
      )
    }
    if (token === null && !loopback.has(host)) {
      throw new ConfigurationError(
        `on ${host} others can reach the console: give it a token of ${shortestToken} characters or more (MILLRACE_CONSOLE_TOKEN), such as \`openssl rand -hex 32\` makes, or leave --console-host out`,
      )
    }
    this.#token = token
    // The same after a restart where there is a token, so that nobody has to give it again.
    this.#session = createHmac('sha256', token ?? randomBytes(32))
      .update('millrace console')
      .digest('hex')
    this.#names = new Set([
      ...loopback,
      ...hostNames.map((name) => name.toLowerCase()),
      ...(everywhere.has(host) ? ownNames() : [host.toLowerCase()]),
    ])
  }

  get asksForToken(): boolean {
    return this.#token !== null
  }

  /** Cookies know no port, and two consoles on one machine must not take each other's. */
  listensOn(port: number): void {
    this.#cookie = `millrace_console_${port}`
  }

  /** Null for a request that comes from where it says, whatever it asks for. */
  checkPlace(request: IncomingMessage): Refusal | null {
    const host = request.headers.host ?? ''
    if (!this.#names.has(nameOf(host))) {
      return {
        status: 403,
        code: 'HOST',
        message: `the console is not reached as ${nameOf(host) || 'nothing'}: use 127.0.0.1, or name it with --console-names`,
      }
    }
    const { origin } = request.headers
    if (origin !== undefined && !isOwn(origin, host)) {
      return {
        status: 403,
        code: 'ORIGIN',
        message: 'a page of another site asks: the console answers its own pages only',
      }
    }
    return null
  }

  /** Null for whoever may read. */
  checkReader(request: IncomingMessage): Refusal | null {
    if (this.#token === null || this.#hasSession(request) || this.#hasToken(request)) return null
    return { status: 401, code: 'TOKEN', message: 'the console asks for its token (MILLRACE_CONSOLE_TOKEN)' }
  }

  /** Null for whoever may change something: a page of the console, in a browser that has loaded it, or a program that has the token. */
  checkWriter(request: IncomingMessage): Refusal | null {
    if (request.headers[writeHeader] === undefined) {
      return { status: 403, code: 'SESSION', message: `what changes something needs the header ${writeHeader}` }
    }
    if (this.#hasToken(request)) return null
    if (request.headers.origin === undefined) {
      return {
        status: 403,
        code: 'ORIGIN',
        message: 'what changes something needs the header Origin, which browsers send',
      }
    }
    if (this.#hasSession(request)) return null
    return { status: 403, code: 'SESSION', message: 'the page is older than the console: load it again' }
  }

  isToken(text: string): boolean {
    return this.#token !== null && isSame(text, this.#token)
  }

  /** For `Set-Cookie`. */
  cookie(): string {
    return `${this.#cookie}=${this.#session}; Path=/; HttpOnly; SameSite=Strict`
  }

  #hasSession(request: IncomingMessage): boolean {
    const cookies = (request.headers.cookie ?? '').split(';').map((one) => one.trim())
    return cookies.some((one) => isSame(one, `${this.#cookie}=${this.#session}`))
  }

  #hasToken(request: IncomingMessage): boolean {
    return this.#token !== null && isSame(request.headers.authorization ?? '', `Bearer ${this.#token}`)
  }
}

/** `localhost` of `localhost:4180`. */
function nameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
}

function isOwn(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}

function ownNames(): readonly string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? [])
  return [...addresses.filter((address) => isIP(address) !== 0), hostname().toLowerCase()]
}

function isSame(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)]
  return a.length === b.length && timingSafeEqual(a, b)
}
