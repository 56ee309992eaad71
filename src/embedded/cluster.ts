import { execFile } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ConfigurationError, RetryableError } from '../runtime/errors.ts'
import { openConnection, type PostgresConnection } from '../sinks/postgres/connection.ts'
import { type Binaries, probeBinaries } from './binaries.ts'
import type { Layout, ServerAccount } from './layout.ts'
import { demoteOwner, isSuperuser, keepPassword, makeOwner, newPassword, ownerRole, superuserRole } from './roles.ts'
import { serverEnvironment } from './serverProcess.ts'

const database = 'millrace'

/** Makes the cluster unless it is there. It appears whole or not at all: a killed attempt leaves only a draft, which is swept. */
export async function prepareCluster(
  layout: Layout,
  binaries: Binaries,
  account: ServerAccount | null,
  onProgress: (line: string) => void,
): Promise<void> {
  sweepDrafts(layout)
  if (existsSync(layout.cluster)) {
    if (existsSync(layout.password)) return
    throw new ConfigurationError(
      `${layout.cluster} is there but its password file ${layout.password} is not: restore the file, ` +
        `or move ${layout.cluster} away to begin with an empty database`,
    )
  }
  onProgress('Preparing PostgreSQL (only the first time)')
  probeBinaries(binaries, account)
  const password = newPassword()
  const draft = `${layout.cluster}.draft-${process.pid}`
  const passwordForInit = `${draft}.password`
  mkdirSync(draft, { mode: 0o700 })
  writeFileSync(passwordForInit, password, { mode: 0o600 })
  if (account !== null) for (const path of [draft, passwordForInit]) chownSync(path, account.uid, account.gid)
  const flags = [
    '--auth=scram-sha-256',
    `--username=${superuserRole}`,
    `--pwfile=${passwordForInit}`,
    '--encoding=UTF8',
    '--locale=C',
  ]
  try {
    await promisify(execFile)(binaries.initdb, ['-D', draft, ...flags], {
      cwd: draft,
      env: serverEnvironment(),
      ...account,
    })
  } catch (error) {
    throw initError(layout, error)
  } finally {
    rmSync(passwordForInit, { force: true })
  }
  keepPassword(layout.superuser, password)
  keepPassword(layout.password, newPassword())
  renameSync(draft, layout.cluster)
}

export function connectionTo(layout: Layout, port: number): PostgresConnection {
  let password: string
  try {
    password = readFileSync(layout.password, 'utf8')
  } catch (error) {
    throw new ConfigurationError(`cannot read ${layout.password}: run as the account that made it`, { cause: error })
  }
  return { host: '127.0.0.1', port, user: ownerRole, password, database }
}

/** Makes role and database unless they are there, and takes powers from the role that a folder of before gave it. */
export async function prepareDatabase(
  layout: Layout,
  connection: PostgresConnection,
  onProgress: (line: string) => void,
): Promise<void> {
  const found = await lookInto(connection)
  if (found === 'ready') return
  if (found === 'superuser') {
    onProgress('The role of the embedded database was its superuser; from now on it only owns what is in it')
    return demoteOwner(layout, connection)
  }
  if (!existsSync(layout.superuser)) throw refusedPassword(connection, found)
  await makeOwner(layout, connection)
  const made = await lookInto(connection)
  if (made !== 'ready') throw refusedPassword(connection, made)
}

/** The port of the last start, or a free one the first time. It is kept, so that what people have noted down goes on working. */
export async function choosePort(layout: Layout, wanted: number | undefined): Promise<number> {
  if (wanted !== undefined) return rememberPort(layout, wanted)
  if (existsSync(layout.port)) {
    const known = Number(readFileSync(layout.port, 'utf8'))
    if (Number.isInteger(known) && known > 0) return known
  }
  return chooseFreePort(layout)
}

export async function chooseFreePort(layout: Layout): Promise<number> {
  return rememberPort(layout, (await listenBriefly(0)) ?? 5432)
}

export async function isPortFree(port: number): Promise<boolean> {
  return (await listenBriefly(port)) !== null
}

function rememberPort(layout: Layout, port: number): number {
  writeFileSync(layout.port, `${port}\n`)
  return port
}

function listenBriefly(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null))
    })
  })
}

/** What the owner finds, or why it finds nothing. */
async function lookInto(connection: PostgresConnection): Promise<'ready' | 'superuser' | Error> {
  try {
    const client = await openConnection(connection, {
      schema: 'public',
      applicationName: 'millrace embedded',
      connectTimeoutMs: 10_000,
    })
    try {
      return (await isSuperuser(client)) ? 'superuser' : 'ready'
    } finally {
      await client.end()
    }
  } catch (error) {
    const { code } = error as { code?: string }
    // No such database, and no such role: the server does not tell that from a wrong password.
    if (error instanceof Error && (code === '3D000' || code === '28P01')) return error
    throw new RetryableError(`PostgreSQL on port ${connection.port} does not take connections`, { cause: error })
  }
}

function refusedPassword({ port }: PostgresConnection, cause: unknown): ConfigurationError {
  return new ConfigurationError(
    `the server on port ${port} refuses the password that is kept beside its data; restore the password file`,
    { cause },
  )
}

function sweepDrafts(layout: Layout): void {
  const folder = dirname(layout.cluster)
  for (const name of readdirSync(folder)) {
    if (name.startsWith(`${basename(layout.cluster)}.draft-`))
      rmSync(join(folder, name), { recursive: true, force: true })
  }
}

function initError(layout: Layout, error: unknown): Error {
  const { stderr, message } = error as { stderr?: string; message: string }
  const said = stderr?.trim().split('\n').slice(-3).join(' ') || message
  const remedy = /No space left/.test(said)
    ? `the disk of ${layout.cluster} is full: free some space`
    : /user does not exist/.test(said)
      ? 'run under an account that is listed in /etc/passwd'
      : `check that ${dirname(layout.cluster)} can be written`
  return new ConfigurationError(`PostgreSQL could not prepare its data: ${said}; ${remedy}`, { cause: error })
}
