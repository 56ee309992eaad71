import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type RunningCommand, startCommand } from '../support/commandLine.ts'

const source = resolve(import.meta.dirname, '../..')

let folder: string
let running: RunningCommand | null = null
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-watch-'))
  symlinkSync(join(source, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(
    join(folder, 'own.ts'),
    `import { definePipeline } from '${source}/src/runtime/pipeline/pipeline.ts'
import { paid } from '${source}/test/support/pipelines/paid.ts'
import { version } from './version.ts'
console.log('loaded ' + version)
export default definePipeline({ ...paid, name: 'own' })
`,
  )
})
// A test that fails must not leave its processes behind.
afterEach(async () => {
  running?.process.kill('SIGKILL')
  await running?.ended
  rmSync(folder, { recursive: true, force: true })
})

/** As many editors do it: a new file in the place of the old one. */
function write(file: string, text: string): void {
  writeFileSync(join(folder, `${file}.new`), text)
  renameSync(join(folder, `${file}.new`), join(folder, file))
}

test('a run is started again when a file that it imports changes, waits while that is broken, and ends by one signal', {
  timeout: 90_000,
}, async () => {
  running = startCommand(['run', './own.ts', '--watch'], { cwd: folder })
  const seen = (line: string, times = 1) => running?.seen(new RegExp(`(?:${line}[\\s\\S]*){${times}}`))
  await seen('error: .*Cannot find module')
  await seen('The run has failed. Waiting for a change of ./own.ts or of what it imports')
  write('version.ts', 'export const version = 1')
  await seen('Waiting for records of orders, payments')
  write('version.ts', 'export const version = 2')
  await seen('version.ts has changed: the run starts again')
  await seen('loaded 2')
  await seen('Waiting for records of orders, payments', 2)
  write('version.ts', 'export const version = ')
  await seen('error: .*version.ts:1')
  await seen('The run has failed', 2)
  write('version.ts', 'export const version = 3')
  await seen('loaded 3')
  await seen('Waiting for records of orders, payments', 3)
  running.process.kill('SIGINT')
  const ended = await running.ended
  expect(ended, ended.stdout + ended.stderr).toMatchObject({ code: 0, signal: null })
  expect(ended.stdout.match(/Stopped cleanly/g)).toHaveLength(3)
  expect(ended.stdout.match(/has changed/g)).toHaveLength(4)
})

test('a file of the checkout that is none of its sources is one to edit as well', { timeout: 20_000 }, async () => {
  const within = mkdtempSync(join(source, '.cache/watch-'))
  try {
    const file = join(within, 'own.ts')
    writeFileSync(file, "export { value as default } from './value.ts'")
    writeFileSync(join(within, 'value.ts'), 'export const value = 1')
    running = startCommand(['run', file, '--watch'], { cwd: folder })
    await running.seen(/The run has failed/)
    writeFileSync(join(within, 'value.ts'), 'export const value = 2')
    await running.seen(/value.ts has changed: the run starts again/)
  } finally {
    rmSync(within, { recursive: true, force: true })
  }
})

test('a file that is not there is nothing to wait for', async () => {
  running = startCommand(['run', './none.ts', '--watch'], { cwd: folder })
  expect(await running.ended).toMatchObject({ code: 2, stderr: expect.stringContaining('there is no such file') })
})
