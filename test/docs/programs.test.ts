import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
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
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { decode, definePipeline, eventTime, jsonCodec, textCodec, toPostgres } from '../../src/index.ts'
import { testPipeline } from '../../src/testing/index.ts'
import { runCommand } from '../support/commandLine.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (page: string) => readFileSync(join(root, page), 'utf8')

/** What stands in fences of a language on a page, in order. */
function fences(page: string, language: string): readonly string[] {
  return [...read(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((match) =>
    String(match[1]),
  )
}

interface Reading {
  readonly sensor: string
  readonly at: number
}

interface Silence {
  readonly sensor: string
  readonly since: number
}

let folder: string
/** Where each program is, as `README.md 1`. */
const files = new Map<string, string>()
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-docs-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  for (const page of ['README.md', 'docs/operators.md', 'docs/connectors.md']) {
    for (const [i, program] of fences(page, 'ts').entries()) {
      const name = page.replace(/\W/g, '_')
      mkdirSync(join(folder, name), { recursive: true })
      const file = join(folder, name, `${i + 1}.ts`)
      writeFileSync(file, program.replaceAll("from 'millrace'", `from '${root}/src/index.ts'`))
      files.set(`${page} ${i + 1}`, file)
    }
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the programs of the pages for newcomers', () => {
  it('compile', { timeout: 60_000 }, async () => {
    expect(files.size).toBeGreaterThanOrEqual(7)
    const config = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { paths: {}, rewriteRelativeImportExtensions: false },
      include: ['*/*.ts'],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
    const tsc = join(root, 'node_modules/@typescript/native/bin/tsc')
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
    expect(stdout).toBe('')
  })

  it('in the README: its commands run as they stand, and say what it says', { timeout: 90_000 }, async () => {
    const [program = ''] = fences('README.md', 'ts')
    const place = { cwd: mkdtempSync(join(folder, 'start-')) }
    writeFileSync(join(place.cwd, 'hottest.ts'), program.replaceAll("from 'millrace'", `from '${root}/src/index.ts'`))
    const commands =
      fences('README.md', 'sh')
        .find((text) => text.startsWith('echo'))
        ?.split('\n') ?? []
    const lines = commands.flatMap((line) => /^echo '(.*)' >/.exec(line)?.[1] ?? [])
    expect(lines).toHaveLength(2)
    writeFileSync(join(place.cwd, 'readings.jsonl'), `${lines.join('\n')}\n`)
    const ran = commands.filter((line) => line.startsWith('npx millrace '))
    expect(ran).toHaveLength(2)
    let told = ''
    for (const line of ran) {
      const result = await runCommand(line.split(' ').slice(2), place)
      expect(result, result.stderr + result.stdout).toMatchObject({ code: 0 })
      told = result.stdout
    }
    const [, said = 'nothing'] = /says `([^`]+)`/.exec(read('README.md')) ?? []
    expect(told).toContain(said)
  })

  it("in docs/operators.md: the operator of one's own does what its picture says", async () => {
    const file = files.get('docs/operators.md 3') ?? ''
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

describe('what docs/operators.md says a pipeline may not do', () => {
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
