import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedPostgres, startOrJoin } from '../../../src/embedded/embeddedPostgres.ts'
import { RetryableError } from '../../../src/runtime/errors.ts'
import type { Checkpoint } from '../../../src/runtime/store/checkpoint.ts'
import { PostgresCheckpointStore } from '../../../src/sinks/postgres/checkpointStore.ts'
import { openPool } from '../../../src/sinks/postgres/connection.ts'
import { migrate } from '../../../src/sinks/postgres/migrate.ts'
import { freePorts } from '../../support/brokerProcess.ts'

const checkpoint = (nextOffset: number): Checkpoint => ({
  nextOffset,
  watermark: null,
  archiveNextOffset: null,
  state: { kind: nextOffset === 1 ? 'base' : 'delta', body: `at ${nextOffset}` },
  writes: [],
  deadLetters: [],
  objects: [],
  idleAdvances: [],
})

describe('a server that takes over without the last transactions', () => {
  const root = mkdtempSync(join(tmpdir(), 'millrace-failover-'))
  const standby = mkdtempSync(join(tmpdir(), 'millrace-standby-'))
  let server: EmbeddedPostgres
  let port: number
  const start = async (folder: string) => {
    server = await startOrJoin(folder, { port })
  }

  beforeAll(async () => {
    for (const folder of [root, standby]) chmodSync(folder, 0o755)
    ;[port] = (await freePorts(1)) as [number]
    await start(root)
    const pool = openPool(server.connection, { schema: 'public' })
    await migrate(pool, 'public')
    await pool.end()
  })

  afterAll(async () => {
    await server?.stop()
    for (const folder of [root, standby]) rmSync(folder, { recursive: true, force: true })
  })

  it('is noticed by the next commit of a worker that lives on, and the task goes on from what there is, with nothing missing', async () => {
    const task = { pipeline: 'lives-on', topic: 't', partition: 0 }
    const store = new PostgresCheckpointStore(server.connection, { schema: 'public' })
    const claim = await store.claim(task)
    await store.commit(claim, checkpoint(1))
    await store.commit(claim, checkpoint(2))
    await server.stop()
    // With its owner, which is not who runs the test.
    execFileSync('cp', ['-a', `${root}/.`, standby])
    await start(root)
    const again = async (offset: number) => {
      // The connections of before are gone with the server.
      for (let left = 50; ; left--) {
        try {
          return await store.commit(claim, checkpoint(offset))
        } catch (error) {
          if (left === 0 || !(error instanceof RetryableError) || error.message.includes('has taken over')) throw error
          await sleep(20)
        }
      }
    }
    await again(3)
    await again(4)
    await server.stop()
    await start(standby)
    await expect(again(5)).rejects.toThrow(
      /has 2 checkpoints where 4 were committed.*goes on from what the database has/,
    )
    const { restored } = await store.claim(task)
    expect(restored?.nextOffset).toBe(2)
    expect(restored?.state.map(({ body }) => body)).toEqual(['at 1', 'at 2'])
    await store.close()
  }, 60_000)
})
