import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { prepareBinaries } from '../../src/embedded/binaries.ts'
import { freePorts } from '../../test/support/brokerProcess.ts'
import { Skipped } from './compatCase.ts'
import { endProcess, type Stage } from './stage.ts'

/** A server of this machine, for whoever logs in with the password. */
export interface Database {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
}

const user = 'compat'
const debianFolder = '/usr/lib/postgresql'
/** Nobody; PostgreSQL refuses to be root, and what cannot change its account runs as it is. */
export const account = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

export function debianMajors(): readonly string[] {
  if (!existsSync(debianFolder)) return []
  return readdirSync(debianFolder).filter((major) => existsSync(join(debianFolder, major, 'bin', 'initdb')))
}

/** The one that comes with npm, where `major` is null. */
export function database(stage: Stage, major: string | null): Promise<Database> {
  return stage.part(`postgres ${major ?? 'embedded'}`, async () => {
    const binaries = major === null ? embeddedBinaries() : debianBinaries(major)
    const folder = stage.newFolder('postgres')
    const data = join(folder, 'data')
    mkdirSync(data, { mode: 0o700 })
    const password = randomBytes(12).toString('hex')
    const passwordFile = join(folder, 'password')
    writeFileSync(passwordFile, password, { mode: 0o600 })
    for (const path of [folder, data, passwordFile])
      if ('uid' in account) chownSync(path, account.uid as number, account.gid as number)
    chmodSync(folder, 0o755)
    const init = ['-D', data, '-U', user, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C']
    await stage.run(binaries.initdb, init, { ...account, cwd: folder })
    const [port] = (await freePorts(1)) as [number]
    const settings = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', fsync: 'off' }
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const server = stage.spawn(binaries.postgres, ['-D', data, ...options], {
      ...account,
      cwd: folder,
      stdio: 'ignore',
    })
    stage.onClose(() => endProcess(server, 'SIGINT'))
    const made = { host: '127.0.0.1', port, user, password }
    await untilUp(made)
    return made
  })
}

export function urlOf({ host, port, user: name, password }: Database): string {
  return `postgres://${name}:${password}@${host}:${port}/postgres`
}

/** One connection for as long as `use` takes. */
export async function withClient<T>(at: Database, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...at, database: 'postgres' })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

async function untilUp(at: Database): Promise<void> {
  for (const deadline = performance.now() + 30_000; ; await sleep(50)) {
    try {
      return await withClient(at, async () => undefined)
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
  }
}

function embeddedBinaries() {
  return prepareBinaries('uid' in account ? (account as { uid: number; gid: number }) : null, () => undefined)
}

function debianBinaries(major: string) {
  const bin = join(debianFolder, major, 'bin')
  if (!existsSync(join(bin, 'initdb')))
    throw new Skipped(`there is no PostgreSQL ${major} here (apt-get install postgresql-${major})`)
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') }
}
