import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { PostgresConnection } from '../../src/sinks/postgres/connection.ts'
import { freePorts } from './brokerProcess.ts'

/** A PostgreSQL of the system's, which a test may configure, freeze and kill. */
export interface OwnServer {
  readonly connection: PostgresConnection
  readonly pid: number
  stop(): Promise<void>
}

export interface OwnServerOptions {
  /** By name. */
  readonly settings?: Readonly<Record<string, string>>
  /** Of files beside its data, by name; readable to the server alone. */
  readonly files?: Readonly<Record<string, string>>
}

const root = '/usr/lib/postgresql'

/** The programs of the oldest server that is installed, or null: the newest is the embedded one. */
export const serverPrograms: string | null = oldest()

/** Says in the output of the tests that they were left out. */
export function serverTitle(title: string): string {
  if (serverPrograms === null) console.warn(`SKIPPED: ${title}: there is no PostgreSQL in ${root} here`)
  return title
}

/** Starts one with an empty cluster, whose superuser is `postgres`. */
export async function startOwnServer(options: OwnServerOptions = {}): Promise<OwnServer> {
  if (serverPrograms === null) throw new Error(`there is no PostgreSQL in ${root}`)
  const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : null
  const folder = mkdtempSync(join(tmpdir(), 'millrace-server-'))
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  const own = (path: string) => {
    if (account !== null) chownSync(path, account.uid, account.gid)
  }
  chmodSync(folder, 0o755)
  own(data)
  const password = 'secret'
  writeFileSync(join(folder, 'password'), password)
  own(join(folder, 'password'))
  const flags = [
    '-U',
    'postgres',
    '--auth=scram-sha-256',
    `--pwfile=${join(folder, 'password')}`,
    '-E',
    'UTF8',
    '--locale=C',
  ]
  execFileSync(join(serverPrograms, 'initdb'), ['-D', data, ...flags], { cwd: data, stdio: 'pipe', ...account })
  for (const [name, text] of Object.entries(options.files ?? {})) {
    writeFileSync(join(data, name), text, { mode: 0o600 })
    own(join(data, name))
  }
  const [port = 0] = await freePorts(1)
  const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off', ...options.settings }
  const child = spawn(
    join(serverPrograms, 'postgres'),
    [
      '-D',
      data,
      '-p',
      String(port),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    { cwd: data, stdio: 'ignore', ...account },
  )
  const connection = { host: '127.0.0.1', port, user: 'postgres', password, database: 'postgres' }
  for (let attempt = 0; !(await answers(connection)); attempt += 1) {
    if (attempt > 500 || child.exitCode !== null) throw new Error('the server does not start')
    await sleep(20)
  }
  return {
    connection,
    pid: child.pid!,
    async stop() {
      const ended = once(child, 'exit')
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGCONT')
        child.kill('SIGINT')
        await ended
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answers(connection: PostgresConnection): Promise<boolean> {
  const client = new pg.Client(connection)
  client.on('error', () => {})
  try {
    await client.connect()
    return true
  } catch {
    return false
  } finally {
    await client.end()
  }
}

function oldest(): string | null {
  if (!existsSync(root)) return null
  const [version] = readdirSync(root)
    .map(Number)
    .filter((number) => existsSync(join(root, String(number), 'bin', 'initdb')))
    .sort((a, b) => a - b)
  return version === undefined ? null : join(root, String(version), 'bin')
}
