import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { recipePage, withProgram } from '../../scripts/docs/recipes.ts'
import type { Inputs, InputsPipeline } from '../../src/index.ts'
import { type TestRecord, testPipeline } from '../../src/testing/index.ts'
import { onSources, textOf } from './pagePrograms.ts'

const root = resolve(import.meta.dirname, '../..')
const programs = globSync('examples/cookbook/*.ts', { cwd: root }).toSorted()
const pipelines = programs.filter((file) => !file.endsWith('.check.ts'))

const folder = mkdtempSync(join(tmpdir(), 'millrace-cookbook-'))
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
for (const file of programs) writeFileSync(join(folder, basename(file)), onSources(textOf(file)))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Fences of a language that name something: what they name, and their lines. */
function namedFences(page: string, language: string): readonly (readonly [name: string, lines: readonly string[]])[] {
  const found = textOf(page).matchAll(new RegExp(`^\`\`\`${language} (\\w+)\\n([\\s\\S]*?)^\`\`\``, 'gm'))
  return [...found].map(([, name = '', text = '']) => [name, text.trimEnd().split('\n')])
}

function recordOf(line: string): TestRecord {
  const said: Record<string, unknown> = JSON.parse(line)
  const isWhole = Object.keys(said).join() === 'key,value'
  return isWhole ? { key: String(said.key), value: said.value } : { value: said }
}

/** Rows as the pages show them: the columns that the heading names, times in ISO. */
function shown(heading: string, rows: readonly unknown[]): string[] {
  const columns = heading.split(/ +/)
  const cell = (value: unknown) =>
    typeof value === 'number' && value > 1e12 ? new Date(value).toISOString() : String(value)
  const cells = (rows as Record<string, unknown>[]).map((row) => columns.map((column) => cell(row[column])))
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((row) => String(row[i]).length)))
  return [columns, ...cells].map((row) =>
    row
      .map((text, i) => text.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

describe('the cookbook', () => {
  it.each(programs)('the page of %s has the program as it is', (file) => {
    const page = textOf(recipePage(file))
    expect(page, 'node scripts/writeCookbook.ts writes it').toBe(withProgram(page, textOf(file)))
  })

  it.each(pipelines)('%s makes of the records of its page the rows of its page', async (file) => {
    const page = recipePage(file)
    const module: { default: InputsPipeline<Inputs> } = await import(join(folder, basename(file)))
    const run = testPipeline(module.default, { crashAt: [1] })
    for (const [input, lines] of namedFences(page, 'jsonl')) run.push(input, ...lines.map(recordOf))
    run.closeOpen()
    const expected = namedFences(page, 'text')
    expect(expected.length).toBeGreaterThan(0)
    for (const [table, lines] of expected) expect(shown(lines[0] ?? '', run.rows(table as never))).toEqual(lines)
    const [, reason] = /dead letter with the reason `(\w+)`/.exec(textOf(page)) ?? []
    expect(run.deadLetters().map((letter) => letter.reason)).toEqual(reason === undefined ? [] : [reason])
    run.finish()
  })

  it('tests by a law', { timeout: 60_000 }, () => {
    const { status, stdout } = spawnSync(process.execPath, ['--test', join(folder, 'testWithLaws.check.ts')], {
      encoding: 'utf8',
    })
    expect(stdout).toContain('pass 1')
    expect(status).toBe(0)
  })

  it('is a recipe for each thing that people search for, and the list names each', () => {
    const pages = globSync('docs/cookbook/*.md', { cwd: root }).map((page) => basename(page))
    const recipes = pages.filter((page) => page !== 'index.md').toSorted()
    expect(recipes.length).toBeGreaterThanOrEqual(12)
    const listed = [...textOf('docs/cookbook/index.md').matchAll(/\]\((\w+\.md)\)/g)].map(([, page]) => page)
    expect(listed.toSorted()).toEqual(recipes)
  })
})
