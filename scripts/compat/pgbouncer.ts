import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePorts } from '../../test/support/brokerProcess.ts'
import { Skipped } from './compatCase.ts'
import { account, type Database } from './postgres.ts'
import { endProcess, type Stage } from './stage.ts'

/** A pooler as it comes, before a database; the same login. */
export async function pgbouncer(stage: Stage, behind: Database, mode: 'session' | 'transaction'): Promise<Database> {
  const command = await promisify(execFile)('pgbouncer', ['--version']).then(
    () => 'pgbouncer',
    () => {
      throw new Skipped('there is no pgbouncer here (apt-get install pgbouncer)')
    },
  )
  return stage.part(`pgbouncer ${mode} ${behind.port}`, async () => {
    const folder = stage.newFolder('pgbouncer')
    const [port] = (await freePorts(1)) as [number]
    const { host, user, password } = behind
    const users = join(folder, 'users.txt')
    writeFileSync(users, `"${user}" "${password}"\n`)
    const settings = join(folder, 'pgbouncer.ini')
    const lines = [
      '[databases]',
      `* = host=${host} port=${behind.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'auth_type = scram-sha-256',
      `auth_file = ${users}`,
      `pool_mode = ${mode}`,
      'unix_socket_dir =',
    ]
    writeFileSync(settings, `${lines.join('\n')}\n`)
    const server = stage.spawn(command, [settings], { ...account, cwd: folder, stdio: 'ignore' })
    stage.onClose(() => endProcess(server, 'SIGINT'))
    const made = { host: '127.0.0.1', port, user, password }
    await untilUp(made)
    return made
  })
}

async function untilUp(at: Database): Promise<void> {
  for (const deadline = performance.now() + 15_000; ; await sleep(50)) {
    const client = new pg.Client({ ...at, database: 'postgres' })
    try {
      await client.connect()
      return await client.end()
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
  }
}
