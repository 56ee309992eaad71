import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from './brokerProcess.ts'

/** Where a server of Trino was unpacked; it needs `java` of version 24 or later on the path. */
export const trinoFolder = process.env.MILLRACE_TEST_TRINO

const startsWithinMs = 300_000

interface Page {
  readonly nextUri?: string
  readonly data?: readonly (readonly unknown[])[]
  readonly error?: { readonly message: string }
}

/** A server of Trino with one catalog. */
export interface Trino {
  /** The rows of a statement. Decimals, and what is made text by the statement, come as text. */
  query(sql: string): Promise<readonly (readonly unknown[])[]>
  stop(): Promise<void>
}

/** @param catalog the settings of the catalog `millrace` */
export async function startTrino(catalog: Readonly<Record<string, string>>): Promise<Trino> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-trino-'))
  const [port] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const write = (name: string, lines: readonly string[]) => {
    const path = join(folder, 'etc', name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${lines.join('\n')}\n`)
  }
  write('config.properties', [
    'coordinator=true',
    'node-scheduler.include-coordinator=true',
    `http-server.http.port=${port}`,
    `discovery.uri=${url}`,
  ])
  write('node.properties', ['node.environment=test', `node.data-dir=${folder}/data`])
  write('jvm.config', ['-server', '-Xmx2G', '-XX:+ExitOnOutOfMemoryError'])
  write(
    'catalog/millrace.properties',
    Object.entries(catalog).map(([name, value]) => `${name}=${value}`),
  )
  const args = ['run', '--etc-dir', join(folder, 'etc'), '--data-dir', join(folder, 'data')]
  const server = spawn(join(trinoFolder ?? '', 'bin', 'launcher'), args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const log: string[] = []
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (chunk) => log.push(String(chunk)))
  try {
    await started(server, log)
  } catch (error) {
    await ended(server)
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  return {
    async query(sql) {
      const rows: (readonly unknown[])[] = []
      let page = await ask(`${url}/v1/statement`, { method: 'POST', body: sql })
      for (;;) {
        if (page.error !== undefined) throw new Error(page.error.message)
        rows.push(...(page.data ?? []))
        if (page.nextUri === undefined) return rows
        page = await ask(page.nextUri)
      }
    },
    async stop() {
      await ended(server)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function ask(url: string, request: RequestInit = {}): Promise<Page> {
  const response = await fetch(url, { ...request, headers: { 'X-Trino-User': 'test' } })
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
  return (await response.json()) as Page
}

async function started(server: ChildProcess, log: readonly string[]): Promise<void> {
  for (const end = performance.now() + startsWithinMs; performance.now() < end; await sleep(200)) {
    if (log.some((chunk) => chunk.includes('SERVER STARTED'))) return
    if (server.exitCode !== null) break
  }
  throw new Error(`Trino did not start: ${log.join('').slice(-2_000)}`)
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return
  const exit = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  await exit
}
