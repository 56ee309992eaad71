import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import {
  concatMap,
  debounceTime,
  delay,
  filter,
  type MonoTypeOperatorFunction,
  map,
  type OperatorFunction,
  startWith,
  take,
} from 'rxjs'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  decode,
  definePipeline,
  eventTime,
  jsonCodec,
  type RecordsPipeline,
  textCodec,
  toPostgres,
} from '../../src/index.ts'
import { testPipeline } from '../../src/testing/index.ts'
import { runCommand } from '../support/commandLine.ts'
import { fences, onSources, textOf, writePrograms } from './pagePrograms.ts'

const root = resolve(import.meta.dirname, '../..')

interface Reading {
  readonly sensor: string
  readonly at: number
}

interface Silence {
  readonly sensor: string
  readonly since: number
}

const pages = ['README.md', ...globSync('docs/**/*.md', { cwd: root })].filter((page) => fences(page, 'ts').length > 0)
const { folder, files } = writePrograms(pages)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const textOfFile = (file: string) => readFileSync(file, 'utf8')

/** Those that define a pipeline. */
const pipelines = [...files].filter(([, file]) => /(?:=|default) definePipeline\(/.test(textOfFile(file)))

function isPipeline(value: unknown): value is RecordsPipeline {
  return typeof value === 'object' && value !== null && 'build' in value
}

describe('the programs of the pages', () => {
  it('compile', { timeout: 120_000 }, async () => {
    expect(pages.length).toBeGreaterThan(20)
    const config = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { paths: {}, rewriteRelativeImportExtensions: false },
      include: ['*.ts'],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    const tsc = join(root, 'node_modules/@typescript/native/bin/tsc')
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
    expect(stdout).toBe('')
  })

  it.each(pipelines)('in %s: its pipeline can be built', async (_name, file) => {
    const module: Record<string, unknown> = await import(file)
    const defined = Object.values(module).filter(isPipeline)
    expect(defined.length).toBeGreaterThan(0)
    for (const pipeline of defined) testPipeline(pipeline).finish()
  })

  it('in the README: its commands run as they stand, and say what it says', { timeout: 90_000 }, async () => {
    const [program = ''] = fences('README.md', 'ts')
    const place = { cwd: mkdtempSync(join(folder, 'start-')) }
    writeFileSync(join(place.cwd, 'hottest.ts'), onSources(program))
    const commands =
      fences('README.md', 'sh')
        .find((text) => text.startsWith('echo'))
        ?.split('\n') ?? []
    const lines = commands.flatMap((line) => /^echo '(.*)' >/.exec(line)?.[1] ?? [])
    expect(lines).toHaveLength(2)
    writeFileSync(join(place.cwd, 'readings.jsonl'), `${lines.join('\n')}\n`)
    const ran = commands.filter((line) => line.startsWith('npx millrace '))
    expect(ran).toHaveLength(3)
    let told = ''
    for (const line of ran) {
      const result = await runCommand(line.split(' ').slice(2), place)
      expect(result, result.stderr + result.stdout).toMatchObject({ code: 0 })
      told += result.stdout
    }
    const [, said = 'nothing'] = /and says `([^`]+)`/.exec(textOf('README.md')) ?? []
    expect(told).toContain(said)
    expect(told.endsWith(String(fences('README.md', 'text')[0]))).toBe(true)
  })

  it("in docs/operators/index.md: the operator of one's own does what its picture says", async () => {
    const isOfOperators = (name: string) => name.startsWith('docs/operators/index.md ')
    const [, file = ''] =
      [...files].find(([name, path]) => isOfOperators(name) && textOfFile(path).includes('function silence')) ?? []
    const { silence }: { silence: (afterMs: number) => OperatorFunction<Reading, Silence> } = await import(file)
    const noon = Date.UTC(2024, 7, 8, 12)
    const pipeline = definePipeline({
      name: 'silent',
      build: (records) => ({
        silence: toPostgres(
          records.pipe(
            decode(jsonCodec(z.object({ sensor: z.string(), at: z.int() }))),
            eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
            silence(60_000),
          ),
          {
            mode: 'append',
            name: 'silence',
            columns: [
              { name: 'sensor', type: 'text', of: ({ sensor }) => sensor },
              { name: 'since', type: 'bigint', of: ({ since }) => since },
            ],
          },
        ),
      }),
    })
    const run = testPipeline(pipeline, { crashAt: [1] })
    const push = (sensor: string, seconds: number) =>
      run.push({ value: JSON.stringify({ sensor, at: noon + seconds * 1_000 }) })
    push('roof', 0)
    push('roof', 20)
    expect(run.rows('silence')).toEqual([])
    push('cellar', 90)
    expect(run.rows('silence')).toMatchObject([{ sensor: 'roof', since: noon + 20_000 }])
    run.closeOpen()
    run.finish()
  })
})

describe('what docs/operators/index.md says a pipeline may not do', () => {
  async function runWith(step: MonoTypeOperatorFunction<string>): Promise<void> {
    const pipeline = definePipeline({
      name: 'stepped',
      build: (records) => ({
        rows: toPostgres(records.pipe(decode(textCodec()), step), {
          mode: 'append',
          name: 'rows',
          columns: [{ name: 'text', type: 'text', of: (text) => text }],
        }),
      }),
    })
    const run = testPipeline(pipeline, { isPoisoned: false })
    run.push({ value: 'a' })
    await new Promise((resolve) => setTimeout(resolve, 20))
    run.push({ value: 'b' })
    run.finish()
  }

  it.each<[what: string, step: MonoTypeOperatorFunction<string>]>([
    ['concatMap with a promise', concatMap((text: string) => Promise.resolve(text))],
    ['delay', delay<string>(1)],
    ['debounceTime', debounceTime<string>(1)],
    ['startWith', startWith('first')],
    ['take', take<string>(1)],
  ])('%s is refused', async (_what, step) => {
    await expect(runWith(step)).rejects.toThrow(/emits on its own|puts values off|the stream completed/)
  })

  it('and what it allows is taken', async () => {
    await runWith((values) =>
      values.pipe(
        map((text) => text),
        filter(() => true),
      ),
    )
  })
})
