import { spawn } from 'node:child_process'
import { globSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, describe, expect, it } from 'vitest'
import { printedBy, programOf } from '../../scripts/docs/operatorExample.ts'
import { onSources, textOf } from './pagePrograms.ts'

const root = resolve(import.meta.dirname, '../..')
const examples = globSync('examples/operators/*.ts', { cwd: root }).toSorted()
const folder = mkdtempSync(join(tmpdir(), 'millrace-operators-'))
symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function output(file: string): Promise<string> {
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] })
  return text(child.stdout)
}

describe('the example of each operator', { timeout: 60_000 }, () => {
  it.each(examples)('%s prints what stands at its end', async (example) => {
    const file = join(folder, basename(example))
    writeFileSync(file, onSources(programOf(textOf(example))))
    const printed = printedBy(textOf(example))
    expect(printed).not.toBe('')
    expect(await output(file)).toBe(printed)
  })

  it('is there', () => {
    const sections = [...textOf('docs/operators.md').matchAll(/^### `(\w+)`$/gm)].map(([, operator]) => operator)
    expect(examples.map((example) => basename(example, '.ts'))).toEqual(sections.toSorted())
  })
})
