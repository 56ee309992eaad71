import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmptyProject, installIntoEmptyProject } from '../support/emptyProject.ts'

const root = resolve(import.meta.dirname, '../..')
const { exports }: { exports: Record<string, unknown> } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const tsc = join(root, 'node_modules/@typescript/native/bin/tsc')

describe('the package, installed into an empty project', () => {
  let project: EmptyProject

  beforeAll(async () => {
    project = await installIntoEmptyProject()
    // Out of the package: Node runs no TypeScript under node_modules.
    const packed = join(project.directory, 'node_modules/millrace/examples')
    cpSync(packed, join(project.directory, 'examples'), { recursive: true })
  }, 180_000)

  afterAll(() => project?.remove())

  it('type-checks every example, its own declarations included', async () => {
    const compilerOptions = {
      target: 'es2024',
      module: 'nodenext',
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      skipLibCheck: false,
    }
    writeFileSync(
      join(project.directory, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, include: ['examples'], exclude: ['examples/cookbook/testWithLaws.check.ts'] }),
    )
    expect(await project.node(tsc, '-p', '.')).toBe('')
  }, 120_000)

  it('makes candles in a plain RxJS program', async () => {
    expect((await project.node('examples/candles.ts')).split('\n')).toEqual([
      '2024-08-08T12:00:00.000Z 64000.10 64010.00 63990.00 64010.00 0.80',
      '2024-08-08T12:01:00.000Z 64020.00 64020.00 64020.00 64020.00 0.30',
      '',
    ])
  })

  it('brings what it has in WebAssembly', async () => {
    writeFileSync(
      join(project.directory, 'told.mjs'),
      `const { Instance } = WebAssembly
       WebAssembly.Instance = function (module, imports) {
         const made = new Instance(module, imports)
         console.log(Object.keys(made.exports).includes('decode') ? 'columns' : 'lines')
         return made
       }`,
    )
    const told = await project.node('--import', './told.mjs', 'examples/hottest.run.ts', 'assembly')
    expect(new Set(told.split('\n'))).toEqual(new Set(['columns', 'lines', '20 rows for hottest_1m', '']))
  })

  it('tests a pipeline of its user', async () => {
    expect(await project.node('examples/hottest.check.ts')).toBe(
      'hottest: rows and dead letters are as expected, interrupted or not\n',
    )
  })

  it('tests a pipeline of several inputs and outlets', async () => {
    expect(await project.node('examples/sales.check.ts')).toBe(
      'sales: rows, messages and dead letters are as expected, interrupted or not\n',
    )
  })

  it('tests a pipeline over a stream of the exchange', async () => {
    expect(await project.node('examples/spread.check.ts')).toBe(
      'spread: rows and dead letters are as expected, interrupted or not\n',
    )
  })

  it('tests two pipelines with a topic between them', async () => {
    expect(await project.node('examples/hop.check.ts')).toBe(
      'hop: rows and dead letters are as expected, interrupted or not\n',
    )
  })

  it('runs a pipeline of its user by a program, from nothing, and again without counting anything twice', async () => {
    expect(await project.node('examples/hottest.run.ts', 'data')).toBe('20 rows for hottest_1m\n')
    expect(await project.node('examples/hottest.run.ts', 'data')).toBe('0 rows for hottest_1m\n')
  })

  it('needs fewer than ten lines for that program', () => {
    const program = readFileSync(join(project.directory, 'examples/hottest.run.ts'), 'utf8')
    const lines = program.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('//'))
    expect(lines.length).toBeLessThan(10)
  })

  it('tests a feed of its user', async () => {
    expect(await project.node('examples/weather.check.ts')).toBe('weather: the same records, restarted or not\n')
  })

  it('brings in a feed and runs a pipeline of its user by the command, from nothing, and again without counting anything twice', async () => {
    const millrace = (...args: readonly string[]) => project.node('node_modules/.bin/millrace', ...args)
    const bring = () => millrace('ingest', '--feed', 'examples/weather.ts', '--data-dir', 'by-command')
    const run = () => millrace('run', 'examples/hottest.ts', '--until-end', '--close-open', '--data-dir', 'by-command')
    expect(await bring()).toContain('is in readings: 20 records appended in this run.')
    expect(await bring()).toContain('is in readings: 0 records appended in this run.')
    const told = await run()
    expect(told).toContain('All that the topics hold is committed: 20 records, 0 dead letters.\n')
    expect(told).toContain('  hottest_1m: 20 rows for hottest_1m\n')
    expect(await run()).toContain('  hottest_1m: 0 rows for hottest_1m\n')
  }, 120_000)

  it('draws the pipeline of its user', async () => {
    const drawn = await project.node('node_modules/.bin/millrace', 'graph', 'examples/hottest.ts')
    expect(drawn).toContain('→ eventTime → 1m → aggregateWindow → ▣ hottest_1m\n')
  })

  it('gives a bundle of operators alone nothing but those', async () => {
    const input = join(project.directory, 'operators.ts')
    writeFileSync(
      input,
      "import { batchFlush, dedupe, eventTime, ohlcv, rollup, tumblingWindow } from 'millrace'\nconsole.log(batchFlush, dedupe, eventTime, ohlcv, rollup, tumblingWindow)\n",
    )
    const build = await rolldown({ input, cwd: project.directory, platform: 'node', external: ['rxjs'] })
    const { output } = await build.generate({ format: 'esm', minify: true })
    await build.close()
    const modules = output.flatMap((chunk) => ('modules' in chunk ? Object.keys(chunk.modules) : []))
    const packages = new Set(modules.flatMap((path) => /.*\/node_modules\/([^/]+)/.exec(path)?.[1] ?? []))
    expect([...packages]).toEqual(['millrace'])
    // An old Node is told so here, too.
    expect(modules.filter((path) => path.endsWith('/runtime/checkNode.js'))).toHaveLength(1)
    const bytes = output.reduce((sum, chunk) => sum + ('code' in chunk ? chunk.code.length : 0), 0)
    expect(bytes).toBeLessThan(88_000)
  })

  it('gives under Node just what its sources give', async () => {
    const entries = Object.entries(exports).filter(([entry]) => !entry.endsWith('.json'))
    expect(entries.length).toBeGreaterThan(10)
    for (const [entry, { module }] of entries as [string, { module: string }][]) {
      const source = await import(join(root, module.replace('./dist/modules/', 'src/').replace('.js', '.ts')))
      const program = `console.log(Object.keys(await import('millrace${entry.slice(1)}')).sort().join(' '))`
      const given = await project.node('--input-type=module', '--eval', program)
      expect(given.trim().split(' ')).toEqual(Object.keys(source).sort())
    }
  })

  it('has types that compile by themselves, of every entry point', async () => {
    const entries = Object.keys(exports).filter((entry) => !entry.endsWith('.json'))
    const lines = entries.map((entry, index) => `export * as entry${index} from 'millrace${entry.slice(1)}'\n`)
    writeFileSync(join(project.directory, 'entries.ts'), lines.join(''))
    const flags = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2024', '--skipLibCheck', 'false']
    expect(await project.node(tsc, ...flags, '--ignoreConfig', 'entries.ts')).toBe('')
  }, 120_000)

  it('has a command that explains itself', async () => {
    expect(await project.node('node_modules/millrace/dist/cli/main.js', '--help')).toContain('Usage: millrace')
  })
})
