import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { ConfigurationError } from '../runtime/errors.ts'

/** Where things are. `root` belongs to whoever starts the server, `cluster` to the account that the server runs as. */
export interface Layout {
  readonly dataDir: string
  readonly root: string
  /** PostgreSQL's own data directory. */
  readonly cluster: string
  readonly lock: string
  readonly users: string
  readonly password: string
  readonly port: string
  readonly serverLog: string
}

/** The account that the server runs as, or null for the one of this process. */
export interface ServerAccount {
  readonly uid: number
  readonly gid: number
}

/** Holds what another account must reach when the data folder or the checkout cannot be reached by it. */
export const sharedRoot = '/var/lib/millrace'

/**
 * Makes the folders. As root the server runs under another account, which must be able to reach the cluster: below a folder
 * that is closed to others (a checkout in /root) the cluster is put under /var/lib/millrace and its place is noted in the data folder.
 */
export function prepareLayout(dataDir: string, onProgress: (line: string) => void): Layout {
  const absolute = resolve(dataDir)
  const root = join(absolute, 'postgres')
  makeFolder(root)
  let cluster = join(root, 'data')
  if (isRoot() && !existsSync(cluster)) {
    const note = join(root, 'location')
    if (existsSync(note)) cluster = readFileSync(note, 'utf8').trim()
    else if (firstClosedFolder(root) !== null) {
      cluster = join(sharedRoot, randomBytes(6).toString('hex'), 'data')
      makeFolder(dirname(cluster))
      writeFileSync(note, `${cluster}\n`)
      onProgress(
        `PostgreSQL cannot run as root, and no other account can reach ${firstClosedFolder(root)}: the database is kept in ${cluster}`,
      )
    }
  }
  return {
    dataDir: absolute,
    root,
    cluster,
    lock: join(root, 'lock'),
    users: join(root, 'users'),
    password: join(root, 'password'),
    port: join(root, 'port'),
    serverLog: join(root, 'server.log'),
  }
}

/** The owner of an existing cluster, else 65534 (nobody) for root, because PostgreSQL refuses to run as root. */
export function serverAccount(layout: Layout): ServerAccount | null {
  if (!isRoot()) return null
  if (existsSync(layout.cluster)) {
    const { uid, gid } = statSync(layout.cluster)
    if (uid !== 0) return { uid, gid }
  }
  return { uid: 65534, gid: 65534 }
}

/** The topmost folder on the way that others may not pass through, or null. */
export function firstClosedFolder(path: string): string | null {
  const parents: string[] = []
  for (let at = resolve(path); ; at = dirname(at)) {
    parents.unshift(at)
    if (at === dirname(at)) break
  }
  return parents.find((folder) => (statSync(folder).mode & 0o001) === 0) ?? null
}

export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const remedy =
      code === 'ENOSPC'
        ? 'the disk is full: free some space'
        : 'give this account write access, or choose another folder'
    throw new ConfigurationError(`cannot make the folder ${path} (${code}); ${remedy}`, { cause: error })
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}
