import { Agent, type AgentOptions, type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { type HttpProxy, type ProxyEnvironment, proxyOf, proxyText } from './proxy.ts'

/** Opening a tunnel through a proxy takes so long at most. */
const connectTimeoutMs = 15_000

/** Connections are kept for the next request: a handshake through a proxy is three round trips. */
const agents = new Map<string, Agent>()
const keepAlive: AgentOptions = { keepAlive: true, timeout: 60_000 }
const mostAgents = 20

/**
 * What opens the connections for a URL: by a tunnel (CONNECT) through the proxy that the environment names, or directly. Give it as `agent` to a request of `node:http` or to a WebSocket.
 *
 * A proxy that refuses is an error in its own name, so that its 403 is never taken for the server's. Throws as `proxyOf` does.
 */
export function agentFor(url: URL, env: ProxyEnvironment = process.env): Agent {
  const proxy = proxyOf(url, env)
  const isTls = url.protocol === 'https:' || url.protocol === 'wss:'
  const key = JSON.stringify([isTls, proxy])
  let agent = agents.get(key)
  if (agent === undefined) {
    agent = agentOf(proxy, isTls)
    if (agents.size >= mostAgents) agents.delete(agents.keys().next().value as string)
    agents.set(key, agent)
  }
  return agent
}

function agentOf(proxy: HttpProxy | null, isTls: boolean): Agent {
  if (proxy === null) return isTls ? new TlsAgent(keepAlive) : new Agent(keepAlive)
  return isTls ? new TlsTunnelAgent(proxy) : new TunnelAgent(proxy)
}

type Made = (error: Error | null, stream?: Duplex) => void
interface Target {
  readonly host?: string | null
  readonly port?: number | string | null
  readonly servername?: string
}

class TunnelAgent extends Agent {
  readonly #proxy: HttpProxy

  constructor(proxy: HttpProxy) {
    super(keepAlive)
    this.#proxy = proxy
  }

  override createConnection(options: Target, made: Made): undefined {
    openTunnel(this.#proxy, options, made)
  }
}

class TlsTunnelAgent extends TlsAgent {
  readonly #proxy: HttpProxy

  constructor(proxy: HttpProxy) {
    super(keepAlive)
    this.#proxy = proxy
  }

  override createConnection(options: Target, made: Made): undefined {
    openTunnel(this.#proxy, options, (error, stream) => {
      if (error !== null || stream === undefined) {
        made(error)
        return
      }
      const servername = options.servername ?? options.host ?? ''
      const secured = connectTls({ ...(options as ConnectionOptions), socket: stream, servername })
      const failed = (problem: Error) => made(problem)
      secured.once('error', failed)
      secured.once('secureConnect', () => {
        secured.off('error', failed)
        made(null, secured)
      })
    })
  }
}

function openTunnel(proxy: HttpProxy, { host, port }: Target, made: Made): void {
  const name = host ?? ''
  const target = `${name.includes(':') ? `[${name}]` : name}:${port ?? 443}`
  const asked = connectRequest(proxy, target)
  let isMade = false
  const end = (error: Error | null, stream?: Duplex) => {
    if (isMade) return
    isMade = true
    made(error, stream)
  }
  const fail = (what: string) => end(new Error(`the proxy ${proxyText(proxy)} ${what}`))
  asked.once('connect', (response: IncomingMessage, stream: Duplex, head: Buffer) => {
    asked.setTimeout(0)
    if (response.statusCode !== 200) {
      stream.destroy()
      const why = response.statusCode === 407 ? ': it asks for a user and a password, in its address' : ''
      fail(`answers ${response.statusCode} for ${target}${why}`)
      return
    }
    if (head.length > 0) stream.unshift(head)
    end(null, stream)
  })
  asked.once('response', (response: IncomingMessage) => {
    response.destroy()
    fail(`answers ${response.statusCode} for ${target}`)
  })
  asked.once('timeout', () => {
    fail(`opens no connection to ${target} within ${connectTimeoutMs} ms`)
    asked.destroy()
  })
  asked.on('error', (error: Error) => fail(`cannot be reached: ${error.message}`))
  asked.end()
}

function connectRequest(proxy: HttpProxy, target: string): ClientRequest {
  const headers = {
    Host: target,
    ...(proxy.authorization === null ? {} : { 'Proxy-Authorization': proxy.authorization }),
  }
  const to = { host: proxy.host, port: proxy.port, method: 'CONNECT', path: target, headers, timeout: connectTimeoutMs }
  return proxy.isTls ? tlsRequest({ ...to, agent: false }) : plainRequest({ ...to, agent: false })
}
