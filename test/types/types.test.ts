import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

it('types flow through pipe() without annotations, and what must not compile says why', () => {
  const tstyche = resolve(root, 'node_modules/tstyche/dist/bin.js')
  const output = execFileSync(process.execPath, [tstyche], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, TSTYCHE_NO_COLOR: 'true' },
  })
  expect(output).toMatch(/Test files: +\d+ passed, \d+ total/)
}, 60_000)
