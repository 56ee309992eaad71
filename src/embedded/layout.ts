import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { makeFolder } from './folder.ts'
import { createWhole } from './wholeFile.ts'

/** Where things are. `root` belongs to whoever starts the server, `cluster` to the account that the server runs as. */
export interface Layout {
  readonly dataDir: string
  readonly root: string
  /** PostgreSQL's own data directory. */
  readonly cluster: string
  readonly lock: string
  readonly users: string
  readonly password: string
  /** Password of the role that makes the others. */
  readonly superuser: string
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
    const closed = firstClosedFolder(root)
    if (existsSync(note)) cluster = readFileSync(note, 'utf8').trim()
    else if (closed !== null) {
      cluster = placeOutside(note)
      onProgress(
        `PostgreSQL cannot run as root, and no other account can reach ${closed}: the database is kept in ${cluster}`,
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
    superuser: join(root, 'superuser'),
    port: join(root, 'port'),
    serverLog: join(root, 'server.log'),
  }
}

// Of several processes that start at once, one decides: a link appears whole and once. The file beside the cluster says whose it is.
function placeOutside(note: string): string {
  const folder = join(sharedRoot, randomBytes(6).toString('hex'))
  const cluster = join(folder, 'data')
  const draft = `${note}.${process.pid}`
  writeFileSync(draft, `${cluster}\n`)
  try {
    if (!createWhole(draft, note)) return readFileSync(note, 'utf8').trim()
  } finally {
    rmSync(draft, { force: true })
  }
  makeFolder(folder)
  writeFileSync(join(folder, 'origin'), `${note}\n`)
  return cluster
}

/** The owner of an existing cluster, else nobody for root, because PostgreSQL refuses to run as root. */
export function serverAccount(layout: Layout): ServerAccount | null {
  if (!isRoot()) return null
  if (existsSync(layout.cluster)) {
    const { uid, gid } = statSync(layout.cluster)
    if (uid !== 0) return { uid, gid }
  }
  return unprivilegedAccount()
}

// PostgreSQL wants its account listed; small images list nobody under another number, or not at all.
function unprivilegedAccount(): ServerAccount {
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
  const found = accounts.find(({ uid }) => uid === 65534) ?? accounts.find(({ name }) => name === 'postgres')
  return found === undefined ? { uid: 65534, gid: 65534 } : { uid: found.uid, gid: found.gid }
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

function isRoot(): boolean {
  return process.getuid?.() === 0
}
