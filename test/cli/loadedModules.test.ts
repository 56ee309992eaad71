import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const main = join(root, 'src/cli/main.ts')
const listing = join(root, 'test/support/loadedModules.ts')

/** What every command needs: its arguments and its settings. */
const always = ['commander', 'zod']
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

/** The packages that the command loads from start to end. */
async function loadedBy(...args: readonly string[]): Promise<readonly string[]> {
  const file = join(folder, 'loaded')
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, MILLRACE_LOADED: file }
  await promisify(execFile)(process.execPath, ['--import', listing, main, ...args], { cwd: folder, env })
  return readFileSync(file, 'utf8').split('\n')
}

// Loading is what a short command takes most of its time for. Another package in a list below wants a reason, or an import where it is needed.
describe('a command loads no more than it needs', { timeout: 240_000 }, () => {
  test('to explain itself, or to say that there is nothing', async () => {
    expect(await loadedBy('--help')).toEqual(always)
    expect(await loadedBy('candles', '--help')).toEqual(always)
    expect(await loadedBy('run', '--help')).toEqual(always)
  })

  test('to run, and to look at what a run has stored', async () => {
    const data = ['--data-dir', join(folder, 'data')]
    const run = await loadedBy('run', 'realtime', '--source', 'none', '--until-end', ...data)
    const running = [...always, ...driver, 'pg-copy-streams', 'rxjs', 'yaml']
    // Checksums by the processor, where there is a binary of it.
    expect(run.filter((name) => !name.startsWith('@node-rs/crc32'))).toEqual(running.sort())
    const reading = [...always, ...driver].sort()
    expect(await loadedBy('candles', '--symbol', 'BTCUSDT', ...data)).toEqual(reading)
    expect(await loadedBy('status', ...data)).toEqual(reading)
    expect(await loadedBy('dead-letters', 'list', ...data)).toEqual(reading)
  })
})
