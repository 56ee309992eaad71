import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { runCommand } from '../support/commandLine.ts'
import { ownDatabase } from '../support/ownDatabase.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-quality-'))
const db = await ownDatabase()
const pool = await db.schema('public')
const place = { cwd: folder, env: { DATABASE_URL: db.url } }
const millrace = (...args: readonly string[]) => runCommand(args, place)
const entry = pathToFileURL('src/quality.ts').href
const file = join(folder, 'quality.ts')

await pool.query('CREATE TABLE reading (sensor text, at timestamptz, celsius numeric)')
writeFileSync(
  file,
  `import { defineQuality } from '${entry}'
export default defineQuality({
  table: 'reading', by: ['sensor'], time: 'at',
  expectations: [{ kind: 'range', column: 'celsius', min: '-90', max: '60' }, { kind: 'complete', every: '1h', severity: 'warn' }],
})
export const nothing = 1
`,
)
beforeEach(async () => {
  await pool.query('TRUNCATE reading, quality_result, quality_window, quarantine')
  await pool.query(
    `INSERT INTO reading SELECT 'attic', timestamptz '2024-08-08Z' + h * interval '1 hour', 20 FROM generate_series(0, 3) h`,
  )
})
afterAll(async () => {
  await db.close()
  rmSync(folder, { recursive: true })
})

const check = (...more: readonly string[]) =>
  millrace('quality', 'check', file, '--from', '2024-08-08', '--to', '2024-08-08T04:00:00Z', ...more)

describe('quality check', () => {
  test('says that all is well, and exits with 0', async () => {
    const { code, stdout } = await check()
    expect(stdout).toMatch(/pass +celsius is at least -90 and at most 60 +4\/4 +4 +0/)
    expect(code).toBe(0)
  })

  test('says what is wrong, keeps the row, and exits with 1', async () => {
    await pool.query(`UPDATE reading SET celsius = 451.0 WHERE at = '2024-08-08T02:00Z'`)
    const { code, stdout } = await check('--window', '2h')
    expect(stdout).toMatch(/fail +celsius is at least -90 and at most 60 +1\/2 +4 +1 +1 of 2 rows fail/)
    expect(stdout).toMatch(/fail +attic +2024-08-08T02:00:00.000Z to 2024-08-08T04:00:00.000Z/)
    expect(stdout).toContain('"celsius": 451.0')
    expect(code).toBe(1)
  })

  test('warns and exits with 0 where nothing blocks', async () => {
    await pool.query(`DELETE FROM reading WHERE at = '2024-08-08T02:00Z'`)
    const { code, stdout } = await check('--window', '4h', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(JSON.parse(stdout)[0].quarantine[0].row)).toEqual({
      sensor: 'attic',
      at: '2024-08-08T02:00:00+00:00',
    })
    expect(JSON.parse(stdout)[0].results).toMatchObject([
      { state: 'warn', failing: 1, rows: 4 },
      { state: 'pass', rows: 3 },
    ])
  })

  test('does not pass over rows that are in no window', async () => {
    await pool.query(`INSERT INTO reading VALUES (NULL, '2024-08-08T01:00Z', 451), ('attic', NULL, 451)`)
    const { code, stderr } = await check()
    expect(stderr).toContain('reading: 2 rows have null in sensor or at, or an infinite time, belong to no window')
    expect(code).toBe(1)
  })

  test('shows the rows that block before those that only warn', async () => {
    await pool.query(`UPDATE reading SET celsius = 451.0 WHERE at = '2024-08-08T02:00Z'`)
    const { stdout } = await millrace(
      'quality',
      'check',
      file,
      '--from',
      '2024-08-08',
      '--to',
      '2024-08-12',
      '--window',
      '4d',
    )
    expect(stdout).toMatch(/in quarantine \(20 of 93; .*\n +celsius is at least -90 and at most 60, .*\n.*451\.0/)
  })

  test('judges sound tables of the platform as sound, those of long candles too', async () => {
    const candle = `symbol, open_time, 1, 1, 1, 1, 1, 1, 1, 0.5, 0.5, 1 FROM unnest(ARRAY['A', 'B']) AS symbol, generate_series`
    for (const [table, every] of [
      ['5m', '5 minutes'],
      ['4h', '4 hours'],
      ['1d', '1 day'],
    ])
      await pool.query(
        `INSERT INTO gold_klines_${table} SELECT 'spot', ${candle}(timestamptz '2024-08-08Z', '2024-08-09T23:59Z', interval '${every}') AS open_time`,
      )
    await pool.query(
      `INSERT INTO raw_klines (market, symbol, interval, open_time, open, high, low, close, volume, close_time, source)
       SELECT 'coinbase', 'C', '1d', at, 1, 1, 1, 1, 1, at + interval '86399.999 s', 'rest' FROM generate_series(timestamptz '2024-08-08Z', '2024-08-09Z', interval '1 day') AS at`,
    )
    try {
      const range = ['--from', '2024-08-08', '--to', '2024-08-10']
      const { code, stdout } = await millrace('quality', 'check', ...range)
      expect(stdout).toMatch(/gold_klines_1d, run check/)
      expect(stdout).not.toMatch(/ {2}(error|fail) /)
      expect(code).toBe(0)
      // Of a part of a day no candle of a day is due.
      expect((await millrace('quality', 'check', '--from', '2024-08-08T01:00', '--to', '2024-08-08T09:00')).code).toBe(
        0,
      )
      await pool.query(`DELETE FROM gold_klines_1d WHERE symbol = 'A' AND open_time = '2024-08-09Z'`)
      expect((await millrace('quality', 'check', ...range)).code).toBe(1)
    } finally {
      await pool.query('TRUNCATE gold_klines_5m, gold_klines_4h, gold_klines_1d, raw_klines')
    }
  })

  test.each([
    [['quality', 'check', file], '--from is missing'],
    [['quality', 'check', file, '--from', '2024-08-09', '--to', '2024-08-08'], '--from must be before --to'],
    [['quality', 'check', 'gone.ts', '--from', '2024-08-08'], 'there is no such file'],
    [['quality', 'check', file, '--from', '2024-08-08', '--window', 'soon'], 'a number and ms, s, m, h or d'],
    [['quality', 'check', file, '--from', '2024-08-08', '--window', '1ms'], 'are too many at once'],
  ])('refuses %j', async (args, words) => {
    const { code, stderr } = await millrace(...args)
    expect(stderr).toContain(words)
    expect(code).toBe(2)
  })
})

describe('quality report', () => {
  test('shows the newest run of each quality, as text, as JSON and as a page', async () => {
    await check()
    await pool.query(`UPDATE reading SET celsius = 451, sensor = '<b>attic' WHERE at = '2024-08-08T02:00Z'`)
    await check()
    const text = await millrace('quality', 'report')
    expect(text.stdout.match(/reading, run check/g)).toHaveLength(1)
    expect(text.stdout).toContain('in quarantine')
    const [report] = JSON.parse((await millrace('quality', 'report', '--json')).stdout)
    expect(report.quarantine.map(({ row }: { row: string }) => JSON.parse(row))).toContainEqual(
      expect.objectContaining({ sensor: '<b>attic', celsius: 451 }),
    )
    const page = join(folder, 'page.html')
    expect((await millrace('quality', 'report', '--html', page)).code).toBe(0)
    const html = readFileSync(page, 'utf8')
    expect(html).toContain('&#60;b&#62;attic')
    expect(html).not.toContain('<b>attic')
    expect(html).toContain("default-src 'none'")
  })

  test('says so where nothing was checked', async () => {
    const { code, stderr } = await millrace('quality', 'report')
    expect(stderr).toContain('Nothing was checked yet')
    expect(code).toBe(0)
  })

  test('says so where there is no such run', async () => {
    await check()
    const { code, stderr } = await millrace('quality', 'report', '--run', 'nope')
    expect(stderr).toContain('There is no such check')
    expect(code).toBe(0)
  })
})
