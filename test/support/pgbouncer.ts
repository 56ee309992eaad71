import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, chmodSync, chownSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresConnection } from '../../src/sinks/postgres/connection.ts'
import { freePorts } from './brokerProcess.ts'

/** A real PgBouncer before a server. */
export interface Bouncer {
  readonly port: number
  /** As `DATABASE_URL`, with these parameters at its end. */
  url(parameters?: string): string
  stop(): Promise<void>
}

/** The program, or null where it is not installed. */
export const bouncerProgram: string | null = find('pgbouncer')

/** Says in the output of the tests that they were left out. */
export function bouncerTitle(title: string): string {
  if (bouncerProgram !== null) return title
  console.warn(`SKIPPED: ${title}: there is no pgbouncer here (apt-get install pgbouncer)`)
  return title
}

const nobody = 65_534

/** Starts it before the server, with lines of its configuration such as `pool_mode = session`. */
export async function startBouncer(server: PostgresConnection, lines: readonly string[]): Promise<Bouncer> {
  if (bouncerProgram === null) throw new Error('there is no pgbouncer here')
  const [port = 0] = await freePorts(1)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-pgbouncer-'))
  const { host, user, password, database } = server
  const files = {
    'users.txt': `"${user}" "${password}"\n`,
    'pgbouncer.ini': [
      '[databases]',
      `* = host=${host} port=${server.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = scram-sha-256',
      `auth_file = ${join(folder, 'users.txt')}`,
      ...lines,
      '',
    ].join('\n'),
  }
  const account = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : null
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text, { mode: 0o600 })
    if (account !== null) chownSync(join(folder, name), account.uid, account.gid)
  }
  chmodSync(folder, 0o755)
  const child = spawn(bouncerProgram, ['-q', join(folder, 'pgbouncer.ini')], { stdio: 'ignore', ...account })
  await listening(child, port)
  return {
    port,
    url: (parameters = '') =>
      `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}${parameters}`,
    async stop() {
      const ended = once(child, 'exit')
      if (child.exitCode === null) {
        child.kill('SIGKILL')
        await ended
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`pgbouncer ended with code ${child.exitCode}`)
    const socket = createConnection(port, '127.0.0.1')
    const isOpen = await new Promise<boolean>((done) => {
      socket.once('connect', () => done(true)).once('error', () => done(false))
    })
    socket.destroy()
    if (isOpen) return
    await sleep(10)
  }
  throw new Error('pgbouncer does not listen after 5 s')
}

function find(program: string): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  for (const folder of folders) {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return join(folder, program)
    } catch {
      // Not in this one.
    }
  }
  return null
}
