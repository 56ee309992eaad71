import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startOrJoin } from '../../../src/embedded/embeddedPostgres.ts'
import { ConfigurationError, RetryableError, TaskFencedError } from '../../../src/runtime/errors.ts'
import type { Checkpoint, Claim, TaskId } from '../../../src/runtime/store/checkpoint.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import { openPool, type PostgresConnection } from '../../../src/sinks/postgres/connection.ts'
import { migrate } from '../../../src/sinks/postgres/migrate.ts'
import { type TestDatabase, testDatabase } from '../../support/postgres.ts'

const checkpoint = (nextOffset: number, rest: Partial<Checkpoint> = {}): Checkpoint => ({
  nextOffset,
  watermark: null,
  archiveNextOffset: null,
  state: { kind: 'base', body: `at ${nextOffset}` },
  writes: [],
  deadLetters: [],
  objects: [],
  idleAdvances: [],
  ...rest,
})

/** Claims until it works, as the worker does. */
async function claimPatiently(store: PostgresCheckpointStore, task: TaskId): Promise<Claim> {
  for (const deadline = Date.now() + 20_000; ; await sleep(20)) {
    try {
      return await store.claim(task)
    } catch (error) {
      if (!(error instanceof RetryableError) || Date.now() > deadline) throw error
    }
  }
}

describe('PostgresCheckpointStore through outages', () => {
  const root = mkdtempSync(join(tmpdir(), 'millrace-outage-'))
  let server: EmbeddedPostgres
  let store: PostgresCheckpointStore

  beforeAll(async () => {
    chmodSync(root, 0o755)
    server = await startOrJoin(root)
    const pool = openPool(server.connection, { schema: 'public' })
    await migrate(pool, 'public')
    await pool.end()
    store = new PostgresCheckpointStore(server.connection, {
      schema: 'public',
      statementTimeoutMs: 400,
      connectTimeoutMs: 500,
    })
  })

  afterAll(async () => {
    await store?.close()
    await server?.stop()
    rmSync(root, { recursive: true, force: true })
  })

  it('fails with RetryableError when the server is killed, and a new claim tells what was stored', async () => {
    const task = { pipeline: 'killed', topic: 't', partition: 0 }
    let claim = await store.claim(task)
    let acknowledged = 0
    let outages = 0
    for (let offset = 1; outages < 3; offset += 1) {
      // Its children may answer a few more commits before they notice; those count like any other.
      const { serverPid } = server
      if (offset % 30 === 0 && serverPid !== null) process.kill(serverPid, 'SIGKILL')
      try {
        await store.commit(claim, checkpoint(offset))
        acknowledged = offset
      } catch (error) {
        expect(error).toBeInstanceOf(RetryableError)
        expect((error as Error).message).toContain(`commit killed t/0 up to offset ${offset}`)
        outages += 1
        claim = await claimPatiently(store, task)
        const stored = claim.restored!.nextOffset
        expect([acknowledged, offset]).toContain(stored)
        expect(claim.restored!.state).toEqual([{ kind: 'base', body: `at ${stored}` }])
        offset = stored
      }
    }
  })

  it('gives a server up that hangs, within its time, and goes on when it is back', async () => {
    const task = { pipeline: 'hanging', topic: 't', partition: 0 }
    const claim = await store.claim(task)
    // Only the process that serves the connection is stopped, as if the machine had frozen in mid-commit.
    const pool = openPool(server.connection, { schema: 'public' })
    const { rows } = await pool.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'millrace checkpoints'",
    )
    const frozen = rows.map(({ pid }) => pid)
    for (const pid of frozen) process.kill(pid, 'SIGSTOP')
    try {
      const since = performance.now()
      await expect(store.commit(claim, checkpoint(1))).rejects.toBeInstanceOf(RetryableError)
      expect(performance.now() - since).toBeLessThan(10_000)
    } finally {
      for (const pid of frozen) process.kill(pid, 'SIGCONT')
    }
    const again = await claimPatiently(store, task)
    await store.commit(again, checkpoint(2))
    await pool.end()
  }, 30_000)

  it('is not kept waiting by an owner that went to sleep in its transaction', async () => {
    const task = { pipeline: 'asleep', topic: 't', partition: 0 }
    const older = await store.claim(task)
    const pool = openPool(server.connection, { schema: 'public' })
    const sleeper = await pool.connect()
    sleeper.on('error', () => {})
    await sleeper.query("SET idle_in_transaction_session_timeout = '600ms'")
    await sleeper.query("BEGIN; UPDATE stream_task SET next_offset = 99 WHERE pipeline = 'asleep'")
    await expect(store.claim(task)).rejects.toBeInstanceOf(RetryableError)
    const newer = await claimPatiently(store, task)
    expect(newer.restored).toBeNull()
    await expect(store.commit(older, checkpoint(1))).rejects.toBeInstanceOf(TaskFencedError)
    sleeper.release(true)
    await pool.end()
  })

  it('keeps its connections: a hundred refused commits leave none behind', async () => {
    const task = { pipeline: 'refused', topic: 't', partition: 0 }
    const claim = await store.claim(task)
    const broken = checkpoint(1, {
      writes: [
        {
          table: { mode: 'append', name: 'no_such_table', columns: [{ name: 'x', type: 'integer', of: () => 1 }] },
          rows: [1],
        },
      ],
    })
    for (let i = 0; i < 50; i += 1) {
      const error = await store.commit(claim, broken).catch((e: unknown) => e)
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(String(error)).toContain('no_such_table')
      const fenced = store.commit({ ...claim, generation: claim.generation - 1 }, checkpoint(1))
      await expect(fenced).rejects.toBeInstanceOf(TaskFencedError)
    }
    await store.commit(claim, checkpoint(1))
    const pool = openPool(server.connection, { schema: 'public' })
    const { rows } = await pool.query<{ count: string }>(
      "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'millrace checkpoints' AND state <> 'idle in transaction'",
    )
    expect(Number(rows[0]!.count)).toBeLessThanOrEqual(8)
    await pool.end()
  })

  it('says that the address or the password is wrong', async () => {
    const task = { pipeline: 'wrong', topic: 't', partition: 0 }
    const wrongPassword = new PostgresCheckpointStore({ ...server.connection, password: 'wrong' }, { schema: 'public' })
    await expect(wrongPassword.claim(task)).rejects.toBeInstanceOf(ConfigurationError)
    const nobody = new PostgresCheckpointStore({ ...server.connection, port: 1 }, { schema: 'public' })
    await expect(nobody.claim(task)).rejects.toThrow(/could not claim wrong t\/0: .*ECONNREFUSED/)
    await Promise.all([wrongPassword.close(), nobody.close()])
  })
})

describe('a commit whose reply is lost', () => {
  let db: TestDatabase
  beforeAll(async () => {
    db = await testDatabase()
  })
  afterAll(() => db.close())

  it('is reported as unknown, and the next claim finds it stored', async () => {
    const task = { pipeline: 'lost', topic: 't', partition: 0 }
    const cable = await cutCable(db.connection)
    const store = new PostgresCheckpointStore(cable.connection, { schema: db.schema })
    const claim = await store.claim(task)
    cable.dropReplies()
    await expect(store.commit(claim, checkpoint(7))).rejects.toBeInstanceOf(RetryableError)
    await cable.close()
    await store.close()
    const direct = new PostgresCheckpointStore(db.connection, { schema: db.schema })
    expect((await direct.claim(task)).restored?.nextOffset).toBe(7)
    await direct.close()
  })
})

const canMount = process.getuid?.() === 0 && process.platform === 'linux' && tryMount()

describe('a full disk', () => {
  it.skipIf(!canMount)(
    'stops commits with what to do, loses nothing, and goes on when there is space again',
    async () => {
      const disk = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
      mount(disk, 160)
      let server: EmbeddedPostgres | undefined
      try {
        server = await startOrJoin(disk)
        const pool = openPool(server.connection, { schema: 'public' })
        await migrate(pool, 'public')
        await pool.end()
        const store = new PostgresCheckpointStore(server.connection, { schema: 'public' })
        const task = { pipeline: 'full', topic: 't', partition: 0 }
        let claim = await store.claim(task)
        const big = (offset: number) =>
          checkpoint(offset, { state: { kind: 'delta', body: `${offset} ${randomText(1_000_000)}` } })
        let stored = 0
        for (; stored < 3; stored += 1) await store.commit(claim, big(stored + 1))
        const { bavail, bsize } = statfsSync(disk)
        const ballast = join(disk, 'ballast')
        writeFileSync(ballast, Buffer.alloc(bavail * bsize - 4 * 1024 * 1024))
        let failure: unknown
        while (failure === undefined) {
          await store.commit(claim, big(stored + 1)).then(
            () => {
              stored += 1
            },
            (error: unknown) => {
              failure = error
            },
          )
        }
        expect(failure).toBeInstanceOf(RetryableError)
        rmSync(ballast)
        claim = await claimPatiently(store, task)
        expect(claim.restored?.nextOffset).toBe(stored)
        expect(claim.restored?.state.map(({ body }) => Number(body.split(' ')[0]))).toEqual(
          Array.from({ length: stored }, (_, i) => i + 1),
        )
        await store.commit(claim, checkpoint(stored + 1))
        await store.close()
      } finally {
        await server?.stop()
        execFileSync('umount', [disk])
        rmSync(disk, { recursive: true, force: true })
      }
    },
    60_000,
  )
})

function randomText(length: number): string {
  let text = ''
  while (text.length < length) text += Math.random().toString(36).slice(2)
  return text
}

function mount(folder: string, megabytes: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0755`, 'tmpfs', folder], { stdio: 'pipe' })
}

function tryMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-mount-'))
  try {
    mount(folder, 1)
    execFileSync('umount', [folder])
    return true
  } catch {
    return false
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A cable to the server whose way back can be cut: the server gets everything, its answers are lost and then the line is. */
async function cutCable(to: PostgresConnection) {
  const sockets = new Set<Socket>()
  let isCut = false
  const proxy: Server = createServer((near) => {
    const far = connect(to.port, to.host)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    near.pipe(far)
    far.on('data', (data) => {
      if (!isCut) near.write(data)
      // Ready, and in no transaction: what it answers has happened.
      else if (data.includes('Z\0\0\0\x05I')) near.destroy()
    })
    far.on('close', () => near.destroy())
    near.on('close', () => far.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    connection: { ...to, port: address.port },
    dropReplies() {
      isCut = true
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}
