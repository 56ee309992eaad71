import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../../..')
const program = `
import { z } from 'zod'
import './src/exact/decimal.ts'
if (process.argv[2] === 'without') delete globalThis.WebAssembly
if (process.argv[2] === 'without room') WebAssembly.Memory = class { constructor() { throw new RangeError('could not allocate memory') } }
const { wasmColumns } = await import('./src/codecs/columns/wasmColumns.ts')
try {
  const columns = wasmColumns(z.object({ a: z.int() }), 8)
  columns?.read(Buffer.from('{"a":7}'), Int32Array.of(0), Int32Array.of(7), 0, 1)
  console.log(columns === null ? 'none' : columns.numbers(0)[0])
} catch (error) { console.log(error.message) }
`

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-decoder-'))
  for (const part of ['codecs', 'runtime', 'exact'])
    cpSync(join(root, 'src', part), join(folder, 'src', part), { recursive: true })
  cpSync(join(root, 'sql'), join(folder, 'sql'), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "name": "millrace", "type": "module" }')
  writeFileSync(join(folder, 'program.ts'), program)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const said = (...args: readonly string[]) =>
  execFileSync(process.execPath, [join(folder, 'program.ts'), ...args], { encoding: 'utf8' }).trim()

test('frames are read by WebAssembly where that is to be had, and its file is there', () => {
  expect(said()).toBe('7')
  expect(said('without')).toBe('none')
  expect(said('without room')).toBe('none')
})

test('a decoder of another source than that of the checkout is refused, with what to do', () => {
  mkdirSync(join(folder, 'assembly'))
  cpSync(join(root, 'assembly/columns.ts'), join(folder, 'assembly/columns.ts'))
  expect(said()).toBe('7')
  writeFileSync(join(folder, 'assembly/columns.ts'), '// Another one.')
  expect(said()).toMatch(/another state of assembly\/columns\.ts\. Make it again: npm run build$/)
  rmSync(join(folder, 'src/codecs/columns/columns.wasm'))
  expect(said()).toBe('none')
})
