import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { killAtDelivery } from '../../scripts/alertKills/killAtDelivery.ts'
import { databaseUrl } from '../support/databaseUrl.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'

let folder: string
let db: TestDatabase
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-alert-kills-'))
  db = await testDatabase()
})
afterAll(async () => {
  await db.close()
  rmSync(folder, { recursive: true, force: true })
})

it('what is decided is what is told, however often the process is killed at it, and a restart and a replay tell nothing', async () => {
  const summary = await killAtDelivery({
    kills: 6,
    seed: 3,
    address: db.connection,
    databaseUrl: databaseUrl(db.connection),
    schema: db.schema,
    dataDir: join(folder, 'data'),
    minutes: 150,
    pauseMs: 5,
    say: () => undefined,
  })
  expect(summary).toMatchObject({ kills: 6, decided: 150, delivered: 150, byRestart: 0, byReplay: 0, equal: true })
}, 300_000)
