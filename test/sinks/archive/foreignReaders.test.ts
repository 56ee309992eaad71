import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync, zstdDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand, startCommand } from '../../support/commandLine.ts'

const python = process.env.MILLRACE_TEST_PYTHON ?? 'python3'
const program = fileURLToPath(new URL('../../support/python/read_archive.py', import.meta.url))
const hasDuckdb = spawnSync(python, ['-c', 'import duckdb, zstandard']).status === 0
const title = `readers that are not ours${hasDuckdb ? '' : ' (not here: pip install duckdb zstandard, and MILLRACE_TEST_PYTHON for another python)'}`
if (!hasDuckdb) console.warn('SKIPPED: the archive as DuckDB reads it: there is no duckdb for Python')

const folder = mkdtempSync(join(tmpdir(), 'millrace-readers-'))
chmodSync(folder, 0o755)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** More than one frame of 256 KiB of lines. */
const trades = 5_000
const archive = join(folder, '.millrace/archive')
const objects = () =>
  readdirSync(archive, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.jsonl.zst'))
    .map((name) => readFileSync(join(archive, name)))

/** The SQL of a page, by what it begins with. */
function sqlOf(page: string): string[] {
  const text = readFileSync(new URL(`../../../${page}`, import.meta.url), 'utf8')
  return [...text.matchAll(/^```sql\n(SELECT[\s\S]*?)```$/gm)]
    .map(([, sql = '']) => sql)
    .filter((sql) => sql.includes('.jsonl.zst'))
}

describe('an archive after a clean stop', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    const frame = (id: number) =>
      `{"stream":"abusdt@trade","data":{"e":"trade","E":${1_723_161_255_343 + id},"s":"ABUSDT","t":${id},"p":"${id % 7}.25","q":"1","T":${1_723_161_255_342 + id},"m":true,"M":true}}`
    const tape = join(folder, 'tape.jsonl.gz')
    writeFileSync(tape, gzipSync(Array.from({ length: trades }, (_, i) => frame(i)).join('\n')))
    // It goes on after the tape, until it is stopped as by Ctrl-C.
    const run = startCommand(['run', 'realtime', '--source', 'tape', '--tape', tape], { cwd: folder })
    await run.seen(/5,000 records/)
    run.process.kill('SIGINT')
    expect(await run.ended).toMatchObject({ code: 0 })
  }, 120_000)

  it('holds all that was processed, and the next stop adds nothing', async () => {
    const lines = objects().reduce((sum, bytes) => sum + zstdDecompressSync(bytes).toString().split('\n').length - 1, 0)
    expect(lines).toBe(trades)
    const status = await runCommand(['status'], { cwd: folder })
    expect(status.stdout).toMatch(/archive/)
    const count = objects().length
    const again = startCommand(['run', 'realtime', '--source', 'none', '--topic', topicOf()], { cwd: folder })
    await again.seen(/Waiting|behind/)
    again.process.kill('SIGTERM')
    expect(await again.ended).toMatchObject({ code: 0 })
    expect(objects()).toHaveLength(count)
  })

  it.skipIf(!hasDuckdb)(title, () => {
    const [highest = '', prices = ''] = sqlOf('docs/connect/s3.md')
    const queries = [highest, prices.replace(';', ' LIMIT 1;')]
    const input = JSON.stringify(queries)
    const read = JSON.parse(execFileSync(python, [program], { cwd: folder, input, encoding: 'utf8' }))
    expect(read.rows[0]).toEqual([['ABUSDT', String(trades), '6.25000000']])
    expect(read.rows[1][0].slice(0, 2)).toEqual([topicOf(), '2024-08-08'])
    expect(read.lines).toBe(trades)
  })
})

function topicOf(): string {
  return readdirSync(archive)
    .find((name) => name.startsWith('topic='))!
    .slice('topic='.length)
}
