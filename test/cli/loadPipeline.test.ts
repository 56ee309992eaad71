import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { UsageError } from '../../src/cli/exit.ts'
import { typeScriptProblem } from '../../src/cli/importFile.ts'
import { loadPipeline, pipelineIn } from '../../src/cli/loadPipeline.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { runCommand } from '../support/commandLine.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'millrace-load-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const pipelineNamed = (name: string) => definePipeline({ name, build: () => ({}) })

/** A file that makes a pipeline with operators of the copy of millrace in `copy`. */
const fileOf = (copy: string, exported: string) => `
import { definePipeline } from ${JSON.stringify(pathToFileURL(join(copy, 'src/runtime/pipeline/pipeline.ts')).href)}
import { stateful } from ${JSON.stringify(pathToFileURL(join(copy, 'src/runtime/operator/stateful.ts')).href)}
const pass = (name: string) => stateful({ name }, (_restored, out) => ({ onValue: (value) => out.emit(value) }))
const outlet = (rows: unknown) => ({ kind: 'rows', table: { mode: 'append', name: 'paid', columns: [] }, values: rows })
${exported}
`

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return `./${name}`
}

const graph = (...args: readonly string[]) => runCommand(['graph', ...args], { cwd: folder })

describe('the pipeline of a module', () => {
  test('is its default export, whatever else it exports', () => {
    const meant = pipelineNamed('meant')
    expect(pipelineIn({ other: pipelineNamed('other'), default: meant }, 'x.ts')).toBe(meant)
  })

  test('is the only one that it exports, be it under two names', () => {
    const only = pipelineNamed('only')
    expect(pipelineIn({ table: {}, only, also: only }, 'x.ts')).toBe(only)
    expect(pipelineIn({ default: { only }, only, 'module.exports': { only } }, 'x.cjs')).toBe(only)
  })

  test('is not guessed among several', () => {
    const exports = { one: pipelineNamed('one'), two: pipelineNamed('two') }
    expect(() => pipelineIn(exports, 'x.ts')).toThrow(
      new UsageError(
        'x.ts exports several pipelines (one, two) and none as its default: make the one that is meant the default export.',
      ),
    )
  })

  test('is missed with what is there instead', () => {
    expect(() => pipelineIn({}, 'x.ts')).toThrow(
      'x.ts exports no pipeline. It exports nothing. Make one with definePipeline',
    )
    const exports = { make: pipelineNamed, table: {}, copied: { ...pipelineNamed('copied') }, 'module.exports': {} }
    expect(() => pipelineIn(exports, 'x.ts')).toThrow(
      'It exports make (a function: export what it gives), table, copied (not made by definePipeline, or a copy of what it has made).',
    )
  })
})

describe('a file that cannot be loaded', () => {
  test('because it is not there is told with where it was looked for, and what is nearly it', async () => {
    write('paid.ts', '')
    const path = join(folder, 'payd.ts')
    await expect(loadPipeline(path)).rejects.toThrow(
      `${path}: there is no such file; looked for ${path} (did you mean paid.ts?).`,
    )
    await expect(loadPipeline('realtme', ['realtime'])).rejects.toThrow('(did you mean realtime?)')
    await expect(loadPipeline(join(folder, 'none/x.ts'))).rejects.toThrow(UsageError)
  })

  test('because it is a folder, or neither TypeScript nor JavaScript', async () => {
    await expect(loadPipeline(folder)).rejects.toThrow(`${folder} is a folder: name the file in it.`)
    write('paid.json', '{}')
    await expect(loadPipeline(join(folder, 'paid.json'))).rejects.toThrow(
      'is neither TypeScript nor JavaScript by its name; allowed: .ts, .mts, .cts, .js, .mjs, .cjs.',
    )
  })

  test('because Node runs no TypeScript is told what to do', () => {
    expect(typeScriptProblem('paid.ts', false)).toMatch(/^paid\.ts: this Node .* Node does from 22\.18 on/)
    expect(typeScriptProblem('paid.mts', undefined)).not.toBeNull()
    expect(typeScriptProblem('paid.ts', 'strip')).toBeNull()
    expect(typeScriptProblem('paid.mjs', false)).toBeNull()
  })

  test.each([
    ['types.ts', 'const a: number = 1\nconst b = ;\n', 'types.ts:2: Expression expected'],
    ['plain.mjs', 'const a = 1\nconst b = ;\n', "plain.mjs:2: Unexpected token ';'"],
    ['inner.ts', "import './types.ts'\n", 'types.ts:2: Expression expected'],
    ['enum.ts', '\nexport enum A { B }\n', 'enum.ts:2: TypeScript enum is not supported in strip-only mode'],
    ['missing.ts', "import 'nowhere'\n", "cannot be loaded: Cannot find package 'nowhere'"],
    [
      'throws.ts',
      '\nnull.x\n',
      "./throws.ts threw while it was loaded: TypeError: Cannot read properties of null (reading 'x') (./throws.ts:2:6)",
    ],
  ])('%s is told with its place, on one line', async (name, text, message) => {
    const { code, stdout, stderr } = await graph(write(name, text))
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/^error: [^\n]+\n$/)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})

describe('millrace graph', () => {
  test('draws the pipeline of a TypeScript file, and gives it as data', async () => {
    const exported =
      "export default definePipeline({ name: 'paid', build: (records) => ({ paid: outlet(records.pipe(pass('only'))) }) })"
    const file = write('paid.ts', fileOf(root, exported))
    const text = await graph(file)
    expect(text).toMatchObject({ code: 0, stderr: '' })
    expect(text.stdout).toMatch(/^pipeline paid\n\nrecords → only → ▣ paid\n/)
    expect(JSON.parse((await graph(file, '--json')).stdout)).toMatchObject({
      pipeline: 'paid',
      edges: [
        { from: 'input:records', to: 'operator:only', plainSteps: 0 },
        { from: 'operator:only', to: 'outlet:paid', plainSteps: 0 },
      ],
    })
  })

  test('tells an error of build with its place', async () => {
    const exported = "export default definePipeline({ name: 'paid', build: () => null.x })"
    const { code, stderr } = await graph(write('throws.ts', fileOf(root, exported)))
    expect(stderr).toMatch(/^error: pipeline paid: its build threw TypeError: .* \(\/.*\/throws\.ts:6:\d+\)\n$/)
    expect(code).toBe(2)
  })

  test('of a project that npm init has made is told to become a module', async () => {
    const project = mkdtempSync(join(folder, 'commonjs-'))
    writeFileSync(join(project, 'package.json'), '{"name":"project","type":"commonjs"}')
    const hint = `${join(project, 'package.json')} has "type": "commonjs", as npm init writes it`
    for (const name of ['paid.ts', 'paid.js']) {
      writeFileSync(join(project, name), 'import "node:fs"\nexport default 1\n')
      const { code, stderr } = await graph(join(project, name))
      expect(stderr).toContain(
        `${hint}, which makes CommonJS of .ts and .js files: set "type": "module" in it, or name`,
      )
      expect(code).toBe(2)
    }
    writeFileSync(join(project, 'package.json'), '{"type":"module"}')
    expect((await graph(join(project, 'paid.ts'))).stderr).toContain('exports no pipeline')
  })

  test('named as CommonJS is told by which name it is a module', async () => {
    const { stderr } = await graph(write('paid.cts', 'import { x } from "node:fs"\nexport default x\n'))
    expect(stderr).toContain('By its name the file is CommonJS: name it .ts or .mts.')
  })

  test('that awaits what never comes is told, instead of an end without a word', async () => {
    const { code, stderr } = await graph(write('waits.ts', 'await new Promise(() => {})\nexport default 1\n'))
    expect(stderr).toBe(
      'error: ./waits.ts cannot be loaded: it, or a file that it imports, has a top-level await that never settles.\n',
    )
    expect(code).toBe(2)
  })

  test('refuses a pipeline of a second copy of millrace, and names both', async () => {
    const copy = join(folder, 'copy')
    cpSync(join(root, 'src/runtime'), join(copy, 'src/runtime'), { recursive: true })
    cpSync(join(root, 'package.json'), join(copy, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    const exported = "export const paid = definePipeline({ name: 'paid', build: () => ({}) })"
    const { code, stderr } = await graph(write('second.ts', fileOf(copy, exported)))
    expect(stderr).toContain(
      `pipeline paid is made by a second copy of millrace, in ${copy}/; this command is of the copy in ${root}/.`,
    )
    expect(code).toBe(2)
  })
})
