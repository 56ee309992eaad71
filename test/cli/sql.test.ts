import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand } from '../support/commandLine.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sql-'))
chmodSync(folder, 0o755)
const millrace = (...args: string[]) => runCommand(args, { cwd: folder, env: { MILLRACE_PARTITIONS: '1' } })

const program = (columns: string) => `
import { definePipeline, jsonCodec, table, toPostgres, topic } from '${join(import.meta.dirname, '../../src/index.ts')}'
import { z } from '${import.meta.resolve('zod')}'

const note = z.object({ id: z.int(), price: z.string(), text: z.string().nullable().default(null) })
const notes = table('note', { columns: { ${columns} } })

export default definePipeline({
  name: 'notes',
  inputs: { notes: topic('notes', { value: jsonCodec(note) }) },
  build: (inputs) => ({ note: toPostgres(inputs.notes, notes) }),
})
`
const before = "id: 'integer', price: 'numeric'"
const notes = [1, 2, 3].map((id) => `{"id":${id},"price":"0.10"}\n`)

describe('SQL on the command line', { timeout: 120_000 }, () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  beforeAll(async () => {
    expect(await millrace('sql', 'SELECT 1')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no database yet'),
    })
    writeFileSync(join(folder, 'notes.ts'), program(before))
    writeFileSync(join(folder, 'notes.jsonl'), notes.join(''))
    expect(await millrace('ingest', 'notes.jsonl', '--topic', 'notes')).toMatchObject({ code: 0 })
    expect(await millrace('run', './notes.ts', '--until-end')).toMatchObject({ code: 0 })
  }, 120_000)

  it('gives a table the column that a start has asked for, while nothing runs', async () => {
    writeFileSync(join(folder, 'notes.ts'), program(`${before}, text: 'text?'`))
    const refused = await millrace('run', './notes.ts', '--until-end')
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('npx millrace sql') })
    const [, statements = ''] = refused.stderr.split('\n\n')
    expect(await millrace('sql', statements)).toMatchObject({ code: 0, stderr: expect.stringContaining('ALTER') })
    expect(await millrace('run', './notes.ts', '--until-end')).toMatchObject({ code: 0 })
  })

  it('prints rows, exact, and says how many there are', async () => {
    const asked = 'SELECT id, price, id > 1 AS "later", NULL AS nothing FROM note ORDER BY id'
    expect(await millrace('sql', asked, '--limit', '2')).toMatchObject({
      code: 0,
      stdout: 'id  price  later  nothing\n1   0.10   false  null\n2   0.10   true   null\n',
      stderr: expect.stringContaining('2 of 3 rows; --limit prints more.'),
    })
    expect((await millrace('sql', `${asked} LIMIT 1`, '--format', 'json')).stdout).toBe(
      '[\n{"id":1,"price":"0.10","later":false,"nothing":null}\n]\n',
    )
  })

  it('does all that is given together, or nothing', async () => {
    const both = await millrace('sql', 'DELETE FROM note; SELECT nonsense FROM note')
    expect(both).toMatchObject({ code: 1, stderr: expect.stringContaining('column "nonsense" does not exist') })
    expect(both.stderr).not.toContain('at ')
    const { stdout, stderr } = await millrace(
      'sql',
      'UPDATE note SET price = 1 WHERE id = 1; SELECT count(*) FROM note',
    )
    expect(stderr).toContain('UPDATE: 1 row')
    expect(stdout).toBe('count\n3\n')
  })

  it('wants something to run', async () => {
    expect(await millrace('sql', ' ')).toMatchObject({ code: 2, stderr: expect.stringContaining('no SQL is given') })
  })
})
