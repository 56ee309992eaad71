import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'
import type { Binaries } from './binaries.ts'
import type { Layout, ServerAccount } from './layout.ts'
import { isPidRunning } from './processIdentity.ts'

export interface RunningServer {
  readonly pid: number
  readonly port: number
  readonly isReady: boolean
}

// Durable (fsync, synchronous_commit and full_page_writes keep their defaults), small, and without what a single machine never uses.
const settings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '50',
  shared_buffers: '48MB',
  work_mem: '8MB',
  maintenance_work_mem: '32MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  min_wal_size: '80MB',
  max_wal_size: '512MB',
  autovacuum_naptime: '15s',
  // Three processes less than the default, and these tables are read from memory.
  io_method: 'sync',
  jit: 'off',
  log_checkpoints: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  password_encryption: 'scram-sha-256',
}

/** The server on this cluster, or null. A file left by one that is gone is not believed. */
export function findServer(layout: Pick<Layout, 'cluster'>): RunningServer | null {
  const file = readPidFile(layout)
  return file !== null && isServerOf(layout, file.pid) ? file : null
}

/**
 * Starts the server on the port and resolves when it accepts connections, recovery after a crash included. It is a session of its own, so
 * that Ctrl-C in the terminal reaches the pipeline and not the database below it, and so that it outlives whoever started it.
 */
export async function startServer(
  layout: Layout,
  binaries: Binaries,
  account: ServerAccount | null,
  port: number,
  onProgress: (line: string) => void,
): Promise<RunningServer> {
  await clearDeadServer(layout)
  rotateLog(layout)
  const logFrom = sizeOf(layout.serverLog)
  const log = openSync(layout.serverLog, 'a', 0o600)
  let child: ChildProcess
  try {
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    child = spawn(binaries.postgres, ['-D', layout.cluster, '-p', String(port), ...options], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: layout.cluster,
      env: serverEnvironment(),
      ...account,
    })
  } finally {
    closeSync(log)
  }
  let ended: string | null = null
  child.once('error', (error) => {
    ended = error.message
  })
  child.once('exit', (code, signal) => {
    ended ??= `it ended with ${signal ?? `code ${code}`}`
  })
  child.unref()
  // Until its file names it, nobody else could end it.
  const abandon = () => void child.kill('SIGINT')
  process.on('exit', abandon)
  try {
    return await ready(
      layout,
      child,
      () => ended,
      onProgress,
      (why) => startError(layout, port, why, logFrom),
    )
  } finally {
    process.off('exit', abandon)
  }
}

async function ready(
  layout: Layout,
  child: ChildProcess,
  ended: () => string | null,
  onProgress: (line: string) => void,
  failure: (why: string) => Error,
): Promise<RunningServer> {
  const since = performance.now()
  let told = false
  for (;;) {
    const why = ended()
    if (why !== null) throw failure(why)
    const server = readPidFile(layout)
    if (server !== null && server.pid === child.pid && server.isReady) return server
    if (!told && performance.now() - since > 2_000) {
      told = true
      onProgress('PostgreSQL is recovering what the last run left unfinished')
    }
    await sleep(10)
  }
}

/** Waits for a server that somebody else started. */
export async function waitUntilReady(layout: Layout, timeoutMs: number): Promise<RunningServer | null> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const server = findServer(layout)
    if (server === null || server.isReady) return server
    if (performance.now() > deadline) {
      throw new RetryableError(
        `PostgreSQL (process ${server.pid}) is not ready after ${timeoutMs} ms; see ${layout.serverLog}`,
      )
    }
    await sleep(20)
  }
}

/** Ends the server: open transactions are rolled back, everything committed is on disk when this resolves. */
export async function stopServer(layout: Pick<Layout, 'cluster' | 'serverLog'>, timeoutMs: number): Promise<void> {
  const server = findServer(layout)
  if (server === null) return
  // One that somebody has frozen (kill -STOP) would hear nothing.
  for (const pid of processesOf(layout)) signal(pid, 'SIGCONT')
  signal(server.pid, 'SIGINT')
  const deadline = performance.now() + timeoutMs
  let isForced = false
  while (isServerOf(layout, server.pid)) {
    if (!isForced && performance.now() > deadline) {
      isForced = true
      // Gives up on a tidy end; the next start recovers from the write-ahead log and loses nothing that was committed.
      signal(server.pid, 'SIGQUIT')
    }
    if (performance.now() > deadline + 10_000) {
      throw new RetryableError(`PostgreSQL (process ${server.pid}) does not stop; see ${layout.serverLog}`)
    }
    await sleep(10)
  }
}

export function serverEnvironment(): NodeJS.ProcessEnv {
  if (process.platform === 'win32') return { ...process.env, LC_ALL: 'C' }
  return { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' }
}

// PostgreSQL's postmaster.pid: pid, data directory, start time, port, socket directory, address, shared memory, status.
function readPidFile(layout: Pick<Layout, 'cluster'>): RunningServer | null {
  let lines: string[]
  try {
    lines = readFileSync(join(layout.cluster, 'postmaster.pid'), 'utf8').split('\n')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new ConfigurationError(
      `cannot read ${layout.cluster} (${code}): it belongs to another account; run as that one, or choose another data folder`,
      { cause: error },
    )
  }
  const pid = Number(lines[0])
  const port = Number(lines[3])
  if (!Number.isInteger(pid) || pid <= 0 || !Number.isInteger(port)) return null
  return { pid, port, isReady: lines[7]?.trim() === 'ready' }
}

function isServerOf(layout: Pick<Layout, 'cluster'>, pid: number): boolean {
  if (!isPidRunning(pid)) return false
  if (process.platform !== 'linux') return true
  // Every process of PostgreSQL works in the data directory; a stranger that was given the old pid does not.
  return existsSync(layout.cluster) && workingFolder(pid) === realpathSync(layout.cluster)
}

/** Of the server and its children, by the folder that all of them work in; none where the system does not tell it. */
function processesOf(layout: Pick<Layout, 'cluster'>): readonly number[] {
  if (process.platform !== 'linux') return []
  const cluster = realpathSync(layout.cluster)
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => workingFolder(pid) === cluster)
}

function workingFolder(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return null
  }
}

// A server that was killed can leave children behind, which go on until they notice and block the start as long as they hold the shared
// memory, and a pid file that names a pid which somebody else has by now. Its own way to end children after a crash is SIGQUIT, so
// they get that. The file is removed only when nothing is left of the server, because it is what keeps two servers apart.
async function clearDeadServer(layout: Layout): Promise<void> {
  if (readPidFile(layout) === null || process.platform !== 'linux') return
  const since = performance.now()
  for (;;) {
    const left = processesOf(layout)
    if (left.length === 0) break
    const waitedMs = performance.now() - since
    // The start will tell that they are still there.
    if (waitedMs > 20_000) return
    for (const pid of left) signal(pid, waitedMs > 3_000 ? 'SIGKILL' : 'SIGQUIT')
    await sleep(10)
  }
  rmSync(join(layout.cluster, 'postmaster.pid'), { force: true })
}

function startError(layout: Layout, port: number, ended: string, logFrom: number): Error {
  const log = readFileSync(layout.serverLog).subarray(logFrom).toString('utf8')
  const said = log.match(/(?:FATAL|PANIC): {2}(.*)/)?.[1] ?? log.trim().split('\n').at(-1) ?? ''
  const message = `PostgreSQL did not start: ${said === '' ? ended : said}`
  if (/No space left on device/.test(log)) {
    return new RetryableError(`${message}; the disk of ${layout.cluster} is full: free some space, nothing is lost`)
  }
  if (/could not create any TCP\/IP sockets|Address already in use/.test(log)) {
    return new RetryableError(
      `${message}; another program has taken port ${port}: end it, or delete ${layout.port} to have a new port chosen`,
    )
  }
  if (/pre-existing shared memory block|lock file "postmaster.pid" already exists/.test(log)) {
    return new RetryableError(`${message}; processes of the last server are still ending`)
  }
  if (/incompatible with server/.test(log)) {
    return new ConfigurationError(
      `${message}; ${layout.cluster} was made by another major version: dump it with that one and restore it here`,
    )
  }
  if (/[Pp]ermission denied|has wrong ownership|invalid permissions/.test(log + ended) || /EACCES/.test(ended)) {
    return new ConfigurationError(
      `${message}; ${layout.cluster} must belong to the account that runs the server, with mode 0700`,
    )
  }
  return new RetryableError(`${message} (${ended}); see ${layout.serverLog}`)
}

function rotateLog(layout: Layout): void {
  if (sizeOf(layout.serverLog) > 4 * 1024 * 1024) renameSync(layout.serverLog, `${layout.serverLog}.old`)
  else if (sizeOf(layout.serverLog) > 0) chmodSync(layout.serverLog, 0o600)
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    // Gone already is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
