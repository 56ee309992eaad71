import { globSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { format } from 'node:util'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { printedBy, programOf } from '../../scripts/docs/operatorExample.ts'
import { onSources, textOf } from './pagePrograms.ts'

const root = resolve(import.meta.dirname, '../..')
const examples = globSync('examples/operators/*.ts', { cwd: root }).toSorted()
const folder = mkdtempSync(join(tmpdir(), 'millrace-operators-'))
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs the program here, and gives what it has printed by the time that this is as much as it should be. */
async function printedOf(file: string, expected: string): Promise<string> {
  let printed = ''
  const log = vi.spyOn(console, 'log').mockImplementation((...values: readonly unknown[]) => {
    printed += `${format(...values)}\n`
  })
  try {
    await import(file)
    await expect.poll(() => printed.length, { interval: 5 }).toBeGreaterThanOrEqual(expected.length)
    return printed
  } finally {
    log.mockRestore()
  }
}

describe('the example of each operator', { timeout: 60_000 }, () => {
  it.each(examples)('%s prints what stands at its end', async (example) => {
    const file = join(folder, basename(example))
    writeFileSync(file, onSources(programOf(textOf(example))))
    const printed = printedBy(textOf(example))
    expect(printed).not.toBe('')
    expect(await printedOf(file, printed)).toBe(printed)
  })

  it('is there', () => {
    const sections = [...textOf('docs/operators/index.md').matchAll(/^### `(\w+)`$/gm)].map(([, operator]) => operator)
    expect(examples.map((example) => basename(example, '.ts'))).toEqual(sections.toSorted())
  })
})
