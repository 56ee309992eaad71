import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const main = join(root, 'src/cli/main.ts')
const listing = join(root, 'test/support/loadedModules.ts')

/** What every command needs for its arguments. */
const always = ['commander']
/** The driver of the database with what it consists of. */
const driver = [
  ...['pg', 'pg-connection-string', 'pg-int8', 'pg-pool', 'pg-protocol', 'pg-types'],
  ...['postgres-array', 'postgres-bytea', 'postgres-date', 'postgres-interval', 'xtend'],
]

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-loaded-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Loaded {
  /** But for checksums by the processor, of which there may be no binary. */
  readonly packages: readonly string[]
  /** Ours and those of packages, without those of Node. */
  readonly modules: number
}

/** What a program loads from start to end. */
async function loadedBy(...args: readonly string[]): Promise<Loaded> {
  const file = join(folder, 'loaded')
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, MILLRACE_LOADED: file }
  await promisify(execFile)(process.execPath, ['--import', listing, ...args], { cwd: folder, env })
  const { packages, modules } = JSON.parse(readFileSync(file, 'utf8')) as Loaded
  return { packages: packages.filter((name) => !name.startsWith('@node-rs/crc32')), modules }
}

const millrace = (...args: readonly string[]) => loadedBy(main, ...args)

// Loading is what a short command takes most of its time for. Another package in a list below wants a reason, or an import where it is needed; so does a number that
// grows by more than a few files.
describe('a program loads no more than it needs', { timeout: 240_000 }, () => {
  test('to explain itself, or to say that there is nothing', async () => {
    for (const args of [['--help'], ['candles', '--help'], ['run', '--help']]) {
      const { packages, modules } = await millrace(...args)
      expect(packages).toEqual(always)
      expect(modules).toBeLessThan(80)
    }
  })

  test('to run, and to look at what a run has stored', async () => {
    const data = ['--data-dir', join(folder, 'data')]
    const run = await millrace('run', 'realtime', '--source', 'none', '--until-end', ...data)
    expect(run.packages).toEqual([...always, ...driver, 'rxjs', 'zod'].sort())
    expect(run.modules).toBeLessThan(920)
    const reading = [...always, ...driver].sort()
    for (const args of [
      ['candles', '--symbol', 'BTCUSDT'],
      ['dead-letters', 'list'],
    ]) {
      const { packages, modules } = await millrace(...args, ...data)
      expect(packages).toEqual(reading)
      expect(modules).toBeLessThan(160)
    }
    // Reports of runs come from files.
    expect((await millrace('status', ...data)).packages).toEqual([...reading, 'zod'].sort())
  })

  test('to read and append in Kafka: none of a client of others, but where it is chosen', async () => {
    const sources = join(root, 'src/sources/kafka')
    const importing = (...files: readonly string[]) =>
      loadedBy('--input-type=module', '-e', files.map((file) => `await import('${join(sources, file)}')`).join('\n'))
    const own = await importing('openKafkaLog.ts', 'wire/wireLog.ts', 'producer/openKafkaWriter.ts')
    expect(own.packages).toEqual(['@platformatic/dynamic-buffer', '@platformatic/wasm-utils', 'zod'])
    expect(own.modules).toBeLessThan(175)
    expect((await importing('kafkajs/kafkajsLog.ts')).packages).toContain('kafkajs')
  })
})
