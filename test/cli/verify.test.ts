import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { EmbeddedLog } from '../../src/embedded/log/embeddedLog.ts'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { migrate } from '../../src/sinks/postgres/migrate.ts'
import { runCommand } from '../support/commandLine.ts'

const archived = resolve(import.meta.dirname, '../support/pipelines/archived.ts')
const paid = resolve(import.meta.dirname, '../support/pipelines/paid.ts')

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-verify-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('millrace verify FILE', { timeout: 120_000 }, () => {
  test('compares all that a pipeline has written, says what it did not compare, and finds what was changed', async () => {
    const dataDir = join(folder, 'own')
    const place = { cwd: folder, env: { MILLRACE_DATA_DIR: dataDir } }
    expect(await runCommand(['verify', archived], place)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('There is no data in'),
    })
    const server = await startOrJoin(dataDir)
    const pool = openPool(server.connection, { schema: 'public' })
    try {
      await migrate(pool, 'public')
      for (const topic of ['orders', 'payments']) {
        const log = await EmbeddedLog.open({ pool, topic, partitions: 4 })
        const writer = log.writer()
        await writer.claim('test')
        await writer.append(
          Array.from({ length: 200 }, (_, id) => ({
            ...{ partition: id % 4, timestamp: 1_768_000_000_000 + id, key: null },
            value: Buffer.from(id === 7 ? 'broken' : JSON.stringify({ id, amount: id * 2 })),
          })),
          topic,
        )
        await log.close()
      }
      expect(await runCommand(['run', archived, '--until-end'], place)).toMatchObject({ code: 0 })
      const same = await runCommand(['verify', archived], place)
      expect(same, same.stdout + same.stderr).toMatchObject({ code: 0 })
      expect(same.stdout).toBe(
        [
          'archived_order: 199 rows compared',
          'sent: not compared, for its messages were sent to tens, and are not kept here.',
          '200 records read again, from the beginning of the archive on; 199 rows and 1 dead letters compared: all the same.\n',
        ].join('\n'),
      )
      const none = await runCommand(['verify', archived, '--from', '2026-01-01', '--to', '2026-01-02'], place)
      expect(none.code).toBe(1)
      expect(none.stdout).toContain('archived_order: not compared, for its rows have no time;')
      expect(none.stdout).toContain('compared: nothing, for there is no row and no dead letter in the range.')
      await pool.query('UPDATE archived_order SET amount = 5 WHERE id = 100')
      await pool.query('DELETE FROM archived_order WHERE id = 101')
      const found = await runCommand(['verify', archived], place)
      expect(found.code).toBe(1)
      expect(found.stdout).toMatch(/differs +archived_order +id 100 +amount +5 +200\n/)
      expect(found.stdout).toMatch(/missing +archived_order +id 101 *\n/)
      expect(found.stdout).toContain('1 differs: stored rows are not what the archive makes.')
      const told = JSON.parse((await runCommand(['verify', archived, '--json'], place)).stdout)
      expect(told).toMatchObject({ records: 200, notCompared: [expect.stringContaining('sent')] })
      expect(told.differences).toHaveLength(2)

      expect(await runCommand(['run', paid, '--until-end'], place)).toMatchObject({ code: 0 })
      expect(await runCommand(['verify', paid], place)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('does not archive orders (topic orders), payments (topic payments)'),
      })
    } finally {
      await pool.end()
      await server.stop()
    }
  })
})
