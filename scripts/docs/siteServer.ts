import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.md': 'text/markdown; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
}

/** A running server of files. */
export interface SiteServer {
  readonly url: string
  close(): Promise<void>
}

/** Serves the built site on loopback, as any server of static files does that knows `/page` as `/page.html`. */
export async function serveSite(folder: string, port = 0): Promise<SiteServer> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://site').pathname))
    void found(folder, path).then((file) => {
      if (file === null) response.writeHead(404).end('There is no such page.')
      else response.writeHead(200, { 'content-type': types[file.type] ?? 'application/octet-stream' }).end(file.bytes)
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function found(folder: string, path: string) {
  const candidates = path.endsWith('/') ? [`${path}index.html`] : [path, `${path}.html`]
  for (const candidate of candidates) {
    try {
      return { type: extname(candidate), bytes: await readFile(join(folder, candidate)) }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' && code !== 'EISDIR') throw error
    }
  }
  return null
}
