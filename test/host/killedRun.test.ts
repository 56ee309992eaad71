import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random } from '../../src/testing/random.ts'
import { databaseUrl } from '../support/databaseUrl.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import type { HostWorkerArguments } from '../support/workers/hostWorker.ts'

const program = fileURLToPath(new URL('../support/workers/hostWorker.ts', import.meta.url))
const seed = Number(process.env.MILLRACE_TEST_SEED ?? 1)

let folder: string
let database: TestDatabase
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-killed-'))
  database = await testDatabase({ isMigrated: false })
})
afterAll(async () => {
  await database.close()
  rmSync(folder, { recursive: true, force: true })
})

test('a run that is killed again and again in the middle counts each record once', { timeout: 120_000 }, async () => {
  const random = new Random(seed)
  const schema = `${database.schema}_killed`
  const settings: HostWorkerArguments = {
    dataDir: join(folder, 'data'),
    databaseUrl: databaseUrl(database.connection),
    schema,
    count: 3_000,
  }
  const count = async (table: string) => {
    const { rows } = await database.pool
      .query<{ ids: number; rows: number }>(
        `SELECT count(DISTINCT id)::int AS ids, count(*)::int AS rows FROM ${schema}.${pg.escapeIdentifier(table)}`,
      )
      // Before the first life has come so far as to make it.
      .catch(() => ({ rows: [{ ids: 0, rows: 0 }] }))
    return rows[0]!
  }
  let kills = 0
  for (let isOver = false; !isOver; ) {
    const child = fork(program, [JSON.stringify(settings)], { execArgv: [] })
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
    if (kills < 8) {
      // A life counts that has done something.
      const before = (await count('ordered')).rows
      while ((await count('ordered')).rows === before && child.exitCode === null) await sleep(20)
      await sleep(random.int(0, 100))
      child.kill('SIGKILL')
      kills += 1
    }
    isOver = (await exited) === 0
  }
  expect(kills).toBeGreaterThan(3)
  expect({ seed, ordered: await count('ordered'), paid: await count('paid') }).toEqual({
    seed,
    ordered: { ids: 3_000, rows: 3_000 },
    paid: { ids: 3_000, rows: 3_000 },
  })
})
