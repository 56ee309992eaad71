import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type EmbeddedPostgres, type StartOptions, startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { isPidRunning, ownIdentity } from '../../src/embedded/processIdentity.ts'
import type { ServerStatus } from '../../src/embedded/supervisor.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { type Child, runChild } from '../support/childProcess.ts'
import { emptyDatabases } from '../support/emptyDatabases.ts'

const databases = await emptyDatabases()

describe('startOrJoin', () => {
  let dataDir: string
  let started: EmbeddedPostgres[]
  let children: Child[]

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'millrace-embedded-'))
    chmodSync(dataDir, 0o755)
    started = []
    children = []
  })

  afterEach(async () => {
    for (const child of children) await child.kill()
    // Whatever the test left running, the last user stops it.
    if (existsSync(join(dataDir, 'postgres', 'password'))) started.push(await startOrJoin(dataDir))
    for (const server of started) await server.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })

  const start = async (options?: StartOptions) => {
    const server = await startOrJoin(dataDir, options)
    started.push(server)
    return server
  }

  const holder = async (how = 'stop') => {
    const child = runChild(new URL('./holder.ts', import.meta.url), [dataDir, how])
    children.push(child)
    const [, pid] = (await child.firstLine()).split(' ')
    return { child, serverPid: Number(pid) }
  }

  const asSuperuser = ({ connection }: EmbeddedPostgres) => ({
    connection: {
      ...connection,
      user: 'postgres',
      password: readFileSync(join(dataDir, 'postgres', 'superuser'), 'utf8'),
    },
  })

  const query = async (server: Pick<EmbeddedPostgres, 'connection'>, text: string) => {
    const client = new pg.Client(server.connection)
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query<Record<string, string>>(text)).rows
    } finally {
      await client.end()
    }
  }

  const until = async (isTrue: () => boolean) => {
    for (const deadline = Date.now() + 20_000; !isTrue(); await sleep(10)) {
      if (Date.now() > deadline) throw new Error(`not so after 20 s: ${isTrue}`)
    }
  }

  it('keeps what was stored, the port and the password from one start to the next', async () => {
    const first = await start()
    expect(first.isStartedHere).toBe(true)
    await query(first, "CREATE TABLE kept AS SELECT 'yes' AS word")
    await first.stop()
    expect(first.serverPid).toBeNull()
    const second = await start()
    expect(second.connection).toEqual(first.connection)
    expect(await query(second, 'SELECT word FROM kept')).toEqual([{ word: 'yes' }])
  })

  it('listens on loopback alone, durably, and takes nobody without the password', async () => {
    const server = await start()
    const setting = async (name: string) => (await query(asSuperuser(server), `SHOW ${name}`))[0]?.[name]
    expect(await setting('listen_addresses')).toBe('127.0.0.1')
    expect(await setting('unix_socket_directories')).toBe('')
    for (const name of ['fsync', 'synchronous_commit', 'full_page_writes', 'autovacuum'])
      expect(await setting(name)).toBe('on')
    expect(await query(asSuperuser(server), 'SELECT DISTINCT auth_method FROM pg_hba_file_rules')).toEqual([
      { auth_method: 'scram-sha-256' },
    ])
    expect(statSync(join(dataDir, 'postgres', 'password')).mode & 0o777).toBe(0o600)
    const stranger = new pg.Client({ ...server.connection, password: 'guess' })
    await expect(stranger.connect()).rejects.toThrow(/password authentication failed/)
  })

  it('is one server for all processes of a folder, however they start, and the last one out stops it', async () => {
    const lines: string[] = []
    const [a, b, mine] = await Promise.all([holder(), holder(), start({ onProgress: (line) => lines.push(line) })])
    expect([a.serverPid, b.serverPid]).toEqual([mine.serverPid, mine.serverPid])
    await a.child.finish()
    await mine.stop()
    expect(isPidRunning(b.serverPid)).toBe(true)
    await b.child.finish()
    expect(isPidRunning(b.serverPid)).toBe(false)
  })

  it('joins the server that a killed process left behind, and stops it when it leaves', async () => {
    databases.layInto(dataDir)
    const { child, serverPid } = await holder()
    await child.kill()
    expect(isPidRunning(serverPid)).toBe(true)
    const server = await start()
    expect(server.isStartedHere).toBe(false)
    expect(server.serverPid).toBe(serverPid)
    await server.stop()
    expect(isPidRunning(serverPid)).toBe(false)
  })

  it('does not believe that a process uses the server because another one has its pid now', async () => {
    databases.layInto(dataDir)
    const server = await start()
    const note = { ...ownIdentity(), startedAt: 'long ago' }
    writeFileSync(join(dataDir, 'postgres', 'users', 'reused.json'), JSON.stringify(note))
    await server.stop()
    expect(server.serverPid).toBeNull()
  })

  it('starts a server again that was killed in mid-insert, with every row that was acknowledged', async () => {
    databases.layInto(dataDir)
    const statuses: ServerStatus[] = []
    const server = await start({ onStatus: (status) => statuses.push(status) })
    await query(server, 'CREATE TABLE numbers (n integer PRIMARY KEY)')
    const acknowledged: number[] = []
    for (let round = 0; round < 3; round += 1) {
      const killed = server.serverPid!
      const client = new pg.Client(server.connection)
      client.on('error', () => {})
      await client.connect()
      const inserting = (async () => {
        for (let n = round * 100_000; ; n += 1) {
          await client.query('INSERT INTO numbers VALUES ($1)', [n])
          acknowledged.push(n)
        }
      })().catch(() => client.end())
      await until(() => acknowledged.length > (round + 1) * 20)
      process.kill(killed, 'SIGKILL')
      await inserting
      await until(() => statuses.filter(({ state }) => state === 'running').length === round + 1)
      expect(server.serverPid).not.toBe(killed)
    }
    const stored = new Set((await query(server, 'SELECT n FROM numbers')).map(({ n }) => Number(n)))
    expect(acknowledged.filter((n) => !stored.has(n))).toEqual([])
    expect(statuses[0]).toEqual({ state: 'restarting', attempt: 1, error: null })
  })

  it('starts a server again that another process had started, killed together with that process', async () => {
    databases.layInto(dataDir)
    const { child, serverPid } = await holder()
    const server = await start()
    process.kill(serverPid, 'SIGKILL')
    await child.kill()
    await until(() => server.serverPid !== null && server.serverPid !== serverPid)
    await until(() => readFileSync(pidFile(), 'utf8').includes('ready'))
    expect(await query(server, 'SELECT 1 AS one')).toHaveLength(1)
  })

  it('starts over a pid file whose pid a stranger has by now', async () => {
    databases.layInto(dataDir)
    const first = await start()
    const pid = first.serverPid!
    const text = readFileSync(pidFile(), 'utf8')
    await first.stop()
    writeFileSync(pidFile(), text.replace(String(pid), String(process.pid)))
    expect((await start()).isStartedHere).toBe(true)
  })

  it('runs as a session of its own, so that Ctrl-C in the terminal does not reach it', async () => {
    databases.layInto(dataDir)
    const server = await start()
    const [, , group, session] = readFileSync(`/proc/${server.serverPid}/stat`, 'latin1').split(') ')[1]!.split(' ')
    expect([group, session].map(Number)).toEqual([server.serverPid, server.serverPid])
  })

  it('takes another port when a program has taken the remembered one, and refuses a taken port that was asked for', async () => {
    databases.layInto(dataDir)
    const first = await start()
    const { port } = first.connection
    await first.stop()
    const stranger = createServer()
    await new Promise<void>((resolve) => stranger.listen(port, '127.0.0.1', resolve))
    try {
      const lines: string[] = []
      await expect(startOrJoin(dataDir, { port })).rejects.toBeInstanceOf(ConfigurationError)
      const second = await start({ onProgress: (line) => lines.push(line) })
      expect(second.connection.port).not.toBe(port)
      expect(lines.join()).toContain(`Port ${port} is taken`)
    } finally {
      stranger.close()
    }
  })

  it('gives a role that owns the database and can neither run programs nor read files of the machine', async () => {
    const server = await start()
    for (const statement of [
      `COPY (SELECT 1) TO PROGRAM 'true'`,
      `COPY (SELECT 1) TO '/tmp/millrace-copied'`,
      `SELECT pg_read_file('/etc/passwd')`,
      'CREATE ROLE other',
      'CREATE DATABASE other',
      'ALTER SYSTEM SET work_mem = 1024',
    ])
      await expect(query(server, statement), statement).rejects.toThrow(/permission denied/)
    await query(server, 'CREATE SCHEMA mine; CREATE TABLE mine.kept (x integer)')
    expect(statSync(join(dataDir, 'postgres', 'superuser')).mode & 0o777).toBe(0o600)
  })

  it('brings a folder over whose role was the superuser, with all that it owned, its name and its password', async () => {
    const first = await start()
    await query(
      first,
      `CREATE TABLE kept (id bigint GENERATED ALWAYS AS IDENTITY, n integer);
       CREATE SCHEMA simulated; CREATE TABLE simulated.parts (k integer) PARTITION BY RANGE (k);
       CREATE SEQUENCE simulated.own; CREATE VIEW simulated.seen AS SELECT * FROM kept; CREATE TYPE simulated.mood AS ENUM ('good');
       CREATE FUNCTION simulated.one() RETURNS integer LANGUAGE sql AS 'SELECT 1'; INSERT INTO kept (n) VALUES (7)`,
    )
    // As it was: the role of that name is the one that the cluster was made with, and the only one.
    await query(asSuperuser(first), `CREATE ROLE helper SUPERUSER LOGIN PASSWORD 'helper'`)
    const helper = { connection: { ...first.connection, user: 'helper', password: 'helper' } }
    await query(
      helper,
      `ALTER ROLE millrace RENAME TO owner; ALTER ROLE postgres RENAME TO millrace; ALTER ROLE millrace PASSWORD '${first.connection.password}';
       ALTER DATABASE millrace OWNER TO millrace; REASSIGN OWNED BY owner TO millrace; DROP ROLE owner; ALTER ROLE helper NOLOGIN`,
    )
    await query(first, 'CREATE DATABASE own')
    await first.stop()
    // As before: no other superuser that anybody could log in as.
    rmSync(join(dataDir, 'postgres', 'superuser'))
    const lines: string[] = []
    const second = await start({ onProgress: (line) => lines.push(line) })
    expect(lines.join()).toContain('only owns what is in it')
    expect(second.connection).toEqual(first.connection)
    await query(
      second,
      `INSERT INTO kept (n) VALUES (8); ALTER TABLE kept ADD more text; DROP VIEW simulated.seen; DROP FUNCTION simulated.one();
       DROP TYPE simulated.mood; DROP SEQUENCE simulated.own; DROP SCHEMA simulated CASCADE`,
    )
    expect(await query(second, 'SELECT n::text FROM kept ORDER BY n')).toEqual([{ n: '7' }, { n: '8' }])
    await expect(query(second, `COPY (SELECT 1) TO PROGRAM 'true'`)).rejects.toThrow(/permission denied/)
    expect(
      await query(
        second,
        `SELECT rolname AS name, rolcanlogin::text AS login FROM pg_roles WHERE rolname LIKE 'millrace%' ORDER BY 1`,
      ),
    ).toEqual([
      { name: 'millrace', login: 'true' },
      { name: 'millrace_former', login: 'false' },
    ])
    expect(
      await query(
        second,
        `SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname IN ('own', 'millrace')`,
      ),
    ).toEqual([{ owner: 'millrace' }, { owner: 'millrace' }])
    await second.stop()
    lines.length = 0
    await start({ onProgress: (line) => lines.push(line) })
    expect(lines).toEqual([])
  })

  it('takes nothing from the environment, where libpq has variables for another server', async () => {
    for (const [name, value] of Object.entries({
      PGSSLMODE: 'require',
      PGHOST: 'nowhere.invalid',
      PGPORT: '1',
      PGUSER: 'nobody',
      PGPASSWORD: 'wrong',
      PGDATABASE: 'nowhere',
      PGOPTIONS: '-c search_path=other',
      PGAPPNAME: 'other',
      PGDATA: '/nowhere',
      PGCLIENTENCODING: 'LATIN1',
    }))
      vi.stubEnv(name, value)
    onTestFinished(() => void vi.unstubAllEnvs())
    const server = await start()
    const pool = openPool(server.connection, { schema: 'public' })
    onTestFinished(() => pool.end())
    expect((await pool.query('SELECT current_schema() AS schema, current_user AS role')).rows).toEqual([
      { schema: 'public', role: 'millrace' },
    ])
  })

  it('leaves no server where the start fails after it runs', async () => {
    databases.layInto(dataDir)
    const first = await start()
    await first.stop()
    const path = join(dataDir, 'postgres', 'password')
    const password = readFileSync(path, 'utf8')
    writeFileSync(path, 'another')
    await expect(startOrJoin(dataDir)).rejects.toThrow(/refuses the password that is kept beside its data/)
    expect(first.serverPid).toBeNull()
    writeFileSync(path, password)
  })

  it.each(['exit', 'throw'])('ends the server with a process that ends by %s', async (how) => {
    databases.layInto(dataDir)
    const { child, serverPid } = await holder(how)
    await child.finish()
    await until(() => !isPidRunning(serverPid))
    expect(readdirSync(join(dataDir, 'postgres', 'users'))).toEqual([])
  })

  it('leaves the server to others where a process ends by exit', async () => {
    databases.layInto(dataDir)
    const server = await start()
    const { child, serverPid } = await holder('exit')
    await child.finish()
    await sleep(300)
    expect(server.serverPid).toBe(serverPid)
  })

  it('sweeps what a first start left that was killed halfway', async () => {
    const draft = join(dataDir, 'postgres', 'data.draft-1')
    mkdirSync(draft, { recursive: true })
    writeFileSync(join(draft, 'PG_VERSION'), '18')
    await start()
    expect(existsSync(draft)).toBe(false)
  })

  it('says that a cluster has lost its password file, and what to do', async () => {
    databases.layInto(dataDir)
    const server = await start()
    await server.stop()
    const path = join(dataDir, 'postgres', 'password')
    const password = readFileSync(path)
    rmSync(path)
    await expect(startOrJoin(dataDir)).rejects.toThrow(/password file .* is not: restore the file/)
    writeFileSync(path, password, { mode: 0o600 })
  })

  it.skipIf(process.getuid?.() !== 0)(
    'as root puts the data where its own account can reach it, and says so',
    async () => {
      chmodSync(dataDir, 0o700)
      const lines: string[] = []
      const server = await start({ onProgress: (line) => lines.push(line) })
      const place = readFileSync(join(dataDir, 'postgres', 'location'), 'utf8').trim()
      expect(lines.join()).toContain(place)
      await query(server, 'CREATE TABLE kept (x integer)')
      await server.stop()
      const again = await start()
      expect(await query(again, 'SELECT count(*)::text FROM kept')).toEqual([{ count: '0' }])
      expect(readdirSync(join(dataDir, 'postgres'))).not.toContain('data')

      // A temporary data folder that was deleted under the running server does not come back: the next such start cleans up.
      const forsaken = again.serverPid!
      const { child } = await holder()
      await again.stop()
      rmSync(join(dataDir, 'postgres'), { recursive: true })
      await child.kill()
      const fresh = await start()
      expect(isPidRunning(forsaken)).toBe(false)
      expect(existsSync(dirname(place))).toBe(false)
      expect(await query(fresh, "SELECT to_regclass('kept') AS kept")).toEqual([{ kept: null }])
      const freshPlace = readFileSync(join(dataDir, 'postgres', 'location'), 'utf8').trim()
      await fresh.stop()
      started = []
      rmSync(join(dataDir, 'postgres'), { recursive: true })
      rmSync(dirname(freshPlace), { recursive: true })
    },
    60_000,
  )

  const pidFile = () => join(dataDir, 'postgres', 'data', 'postmaster.pid')
})
