import { ConfigurationError } from '../../runtime/errors.ts'

/** A proxy that connections go through, as the environment names it. */
export interface HttpProxy {
  readonly host: string
  readonly port: number
  /** Whether the proxy itself is spoken to by TLS. */
  readonly isTls: boolean
  /** What `Proxy-Authorization` says; null where the address has no user. Never to be shown. */
  readonly authorization: string | null
  /** The variable that names it. */
  readonly variable: string
}

/** Variables as every program reads them. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>

const defaultPorts: Readonly<Record<string, number>> = { 'https:': 443, 'wss:': 443, 'http:': 80, 'ws:': 80 }

/**
 * The proxy for a URL by `HTTPS_PROXY` (of `https:` and `wss:`), `HTTP_PROXY` (of `http:` and `ws:`), `ALL_PROXY` and `NO_PROXY`, in lower case too, which goes before; null for none. The own
 * machine is never asked for by a proxy. Throws `ConfigurationError` on an address that is no proxy's.
 */
export function proxyOf(url: URL, env: ProxyEnvironment = process.env): HttpProxy | null {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  if (isOwnMachine(host)) return null
  const isTls = url.protocol === 'https:' || url.protocol === 'wss:'
  const named = [isTls ? 'https_proxy' : 'http_proxy', 'all_proxy'].flatMap((name) => [name, name.toUpperCase()])
  const variable = named.find((name) => (env[name] ?? '') !== '')
  if (variable === undefined) return null
  const port = url.port === '' ? (defaultPorts[url.protocol] ?? 0) : Number(url.port)
  if (isLeftOut(host, port, env.no_proxy || env.NO_PROXY || '')) return null
  return parsed(variable, env[variable] as string)
}

/** `proxy.example:3128 (HTTPS_PROXY)`: without user and password. */
export function proxyText({ host, port, variable }: HttpProxy): string {
  return `${host}:${port} (${variable})`
}

function isOwnMachine(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/** Entries as they are usual: `example.com` and `.example.com` mean the domain and what is below it, `host:port` a port alone, `*` everything. */
function isLeftOut(host: string, port: number, list: string): boolean {
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true
      const [, name = entry, onlyPort] = /^(.*?)(?::(\d+))?$/.exec(entry.replace(/^\[(.*)\]/, '$1')) ?? []
      // An IPv6 address has colons of its own.
      const isAddress = entry.split(':').length > 2 && !entry.startsWith('[')
      const domain = (isAddress ? entry : name).replace(/^\*?\./, '')
      if (!isAddress && onlyPort !== undefined && Number(onlyPort) !== port) return false
      return host === domain || host.endsWith(`.${domain}`)
    })
}

function parsed(variable: string, text: string): HttpProxy {
  let url: URL
  try {
    url = new URL(/^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  } catch {
    // The text may hold a password.
    throw new ConfigurationError(`${variable} is no address of a proxy: write it like http://proxy.example:3128.`)
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ConfigurationError(
      `${variable} names a proxy of the kind ${url.protocol.slice(0, -1)}: only http:// and https:// are spoken here.`,
    )
  }
  const isTls = url.protocol === 'https:'
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    isTls,
    authorization: url.username === '' ? null : `Basic ${Buffer.from(user).toString('base64')}`,
    variable,
  }
}
