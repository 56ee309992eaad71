import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand } from '../support/commandLine.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-rows-'))
chmodSync(folder, 0o755)
const millrace = (...args: string[]) => runCommand(args, { cwd: folder, env: { MILLRACE_PARTITIONS: '1' } })

const program = `
import { definePipeline, jsonCodec, table, toPostgres, topic } from '${join(import.meta.dirname, '../../src/index.ts')}'
import { z } from '${import.meta.resolve('zod')}'

const note = z.object({ id: z.int(), at: z.int(), text: z.string(), price: z.string().nullable(), revision: z.int() })
const columns = { id: 'integer', at: 'timestamptz', text: 'text', price: 'numeric?', revision: 'integer' } as const
const notes = table('note', { columns, key: ['id'], revision: 'revision' })
const heard = table('heard', { columns })

export default definePipeline({
  name: 'notes',
  inputs: { notes: topic('notes', { value: jsonCodec(note) }) },
  build: (inputs) => ({ note: toPostgres(inputs.notes, notes), heard: toPostgres(inputs.notes, heard) }),
})
`
const at = Date.parse('2024-08-08T12:00:00.5Z')
const lines = [
  { id: 2, at, text: 'a "quoted",\nline', price: '0.10', revision: 1 },
  { id: 1, at, text: '', price: null, revision: 1 },
  { id: 1, at, text: 'better', price: '123456789012345678.90', revision: 2 },
]

describe('rows on the command line', { timeout: 120_000 }, () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  beforeAll(async () => {
    expect(await millrace('rows')).toMatchObject({ code: 1, stderr: expect.stringContaining('no database yet') })
    writeFileSync(join(folder, 'notes.ts'), program)
    writeFileSync(join(folder, 'notes.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    expect(await millrace('ingest', 'notes.jsonl', '--topic', 'notes')).toMatchObject({ code: 0 })
    expect(await millrace('run', './notes.ts', '--until-end')).toMatchObject({ code: 0 })
  }, 120_000)

  it('lists what pipelines write, and nothing of its own', async () => {
    const { stdout } = await millrace('rows')
    expect(stdout).toMatch(
      /^public +heard +id, at, text, price, revision\npublic +note .*\nWithout rows: .*raw_klines/m,
    )
    expect(stdout).not.toContain('row_owner')
    expect(stdout).not.toContain('stream_task')
  })

  it('prints rows by key, or as they were added', async () => {
    expect((await millrace('rows', 'note')).stdout).toBe(
      'id  at                        text                  price                  revision\n' +
        '1   2024-08-08T12:00:00.500Z  better                123456789012345678.90  2\n' +
        '2   2024-08-08T12:00:00.500Z  a "quoted",\\u{a}line  0.10                   1\n',
    )
    expect((await millrace('rows', 'heard', '--format', 'csv')).stdout).toBe(
      'id,at,text,price,revision\n' +
        '2,2024-08-08T12:00:00.500Z,"a ""quoted"",\nline",0.10,1\n' +
        '1,2024-08-08T12:00:00.500Z,"",,1\n' +
        '1,2024-08-08T12:00:00.500Z,better,123456789012345678.90,2\n',
    )
  })

  it('prints JSON that keeps decimals exact', async () => {
    const { stdout } = await millrace('rows', 'note', '--format', 'json')
    expect(JSON.parse(stdout)).toMatchObject([
      { id: 1, price: '123456789012345678.90' },
      { id: 2, price: '0.10' },
    ])
  })

  it('says that there are more', async () => {
    const { stdout, stderr } = await millrace('rows', 'heard', '--limit', '2')
    expect(stdout.trimEnd().split('\n')).toHaveLength(3)
    expect(stderr).toContain('2 of 3 rows; --limit prints more.')
  })

  it('knows a slip of the hand', async () => {
    expect(await millrace('rows', 'notes')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no table notes (did you mean note?); looked at schema public.'),
    })
  })
})
