import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { writeLake } from '../../src/lake/lake.ts'
import { lakeTable } from '../../src/lake/lakeTable.ts'
import { directoryStore } from '../../src/sinks/objects/directoryStore.ts'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { migrate } from '../../src/sinks/postgres/migrate.ts'
import { freePorts } from '../support/brokerProcess.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-lake-'))
chmodSync(folder, 0o755)
const data = join(folder, 'data')
const millrace = (...args: string[]) => runCommand([...args, '--data-dir', data], { cwd: folder })
const readings = lakeTable('weather.readings', { columns: { sensor: 'string', at: 'timestamptz' }, day: 'at' })
const start = Date.parse('2026-01-01T00:00:00Z')
const python = process.env.MILLRACE_TEST_PYTHON ?? 'python3'
const hasReaders = spawnSync(python, ['-c', 'import pyiceberg, pyarrow']).status === 0

describe('the lake on the command line', { timeout: 120_000 }, () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  beforeAll(async () => {
    expect(await millrace('lake', 'tables')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: expect.stringContaining('docs/platform/lake.md'),
    })
    const server = await startOrJoin(data)
    const pool = openPool(server.connection, { schema: 'public', maxConnections: 2 })
    await migrate(pool, 'public')
    const client = await pool.connect()
    const place = { store: directoryStore(join(data, 'lake')), keyPrefix: '', catalog: 'millrace' }
    await client.query(
      `INSERT INTO lake_mirror (table_name, lake_name, columns, key, refused) VALUES ('roofs', 'weather.roofs', '[]', '{}', 'row 1 is too long')`,
    )
    for (const i of [0, 1, 2]) {
      const rows = [{ sensor: 'roof', at: start + i }]
      await writeLake(client, place, { table: readings, mode: 'replace-days', rows }, start + i)
    }
    client.release()
    await pool.end()
    await server.stop()
  }, 120_000)

  it('lists tables', async () => {
    const { stdout } = await millrace('lake', 'tables', '--json')
    expect(JSON.parse(stdout)).toMatchObject([
      { schema: 'public', name: 'weather.readings', rows: 1, files: 1, commits: 3, snapshots: 3 },
    ])
    const { stdout: listed, stderr } = await millrace('lake', 'tables')
    expect(listed).toContain('weather.readings')
    expect(stderr).toContain(
      'The table weather.roofs of the lake stays as it was, for it cannot have roofs as it is: row 1 is too long.',
    )
  })

  it('serves them until it is stopped', async () => {
    const [port = 0] = await freePorts(1)
    const url = `http://127.0.0.1:${port}`
    const served = startCommand(['lake', 'serve', '--port', String(port), '--data-dir', data], { cwd: folder })
    await served.seen(new RegExp(`for reading: ${url}\n`))
    const answer = await fetch(`${url}/v1/millrace/namespaces/weather/tables/readings`)
    expect(await answer.json()).toMatchObject({ metadata: { 'last-sequence-number': 3 } })
    if (hasReaders) {
      const program = `from pyiceberg.catalog import load_catalog
print(load_catalog("millrace", type="rest", uri="${url}").load_table("weather.readings").scan().to_arrow().num_rows)`
      expect(spawnSync(python, ['-c', program], { encoding: 'utf8' }).stdout).toBe('1\n')
    }
    served.process.kill('SIGTERM')
    await served.ended
  })

  it('refuses to serve others without a token', async () => {
    const refused = await millrace('lake', 'serve', '--host', '0.0.0.0')
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('token') })
  })

  it('forgets what is old, and sweeps what nobody names', async () => {
    mkdirSync(join(data, 'lake/weather/readings/data'), { recursive: true })
    writeFileSync(join(data, 'lake/weather/readings/data/forsaken.parquet'), 'x')
    const orphan = 'weather/readings/data/forsaken.parquet\n'
    expect(await millrace('lake', 'sweep')).toMatchObject({ code: 0, stdout: orphan })
    expect(await millrace('lake', 'sweep', '--delete')).toMatchObject({ code: 0, stdout: orphan })
    expect(await millrace('lake', 'sweep')).toMatchObject({ code: 0, stdout: '' })
    expect(await millrace('lake', 'expire')).toMatchObject({ stdout: '' })
    expect((await millrace('lake', 'expire', '--keep', '1')).stdout).toMatch(
      /^weather\.readings: 2 snapshots and \d+ objects are gone\n$/,
    )
    expect(await millrace('lake', 'sweep')).toMatchObject({ code: 0, stdout: '' })
  })
})
