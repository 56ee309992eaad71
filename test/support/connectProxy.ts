import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { Duplex } from 'node:stream'

export interface ConnectProxyOptions {
  /** Where a target such as `exchange.test:443` really is, as a port on loopback. */
  readonly ports: Readonly<Record<string, number>>
  /** What `Proxy-Authorization` must say. */
  readonly authorization?: string
}

export interface ConnectProxy {
  readonly port: number
  /** Targets that were asked for so far. */
  readonly targets: readonly string[]
  close(): Promise<void>
}

/** A proxy on loopback that knows CONNECT and nothing else, as those of companies do. */
export async function connectProxy({ ports, authorization }: ConnectProxyOptions): Promise<ConnectProxy> {
  const targets: string[] = []
  const open = new Set<Duplex>()
  const server = createServer((_, response) => response.writeHead(405).end('only CONNECT'))
  server.on('connect', (request, socket: Duplex, head: Buffer) => {
    const target = request.url ?? ''
    targets.push(target)
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => socket.destroy())
    if (authorization !== undefined && request.headers['proxy-authorization'] !== authorization) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n')
      return
    }
    const port = ports[target]
    if (port === undefined) {
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
      return
    }
    const there = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      there.write(head)
      there.pipe(socket).pipe(there)
    })
    there.on('error', () => socket.destroy())
    socket.on('close', () => there.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    targets,
    close: async () => {
      for (const socket of open) socket.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
