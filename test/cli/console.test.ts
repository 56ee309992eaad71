import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { PipelineView } from '../../src/web/pipelineView.ts'
import { runCommand, startCommand } from '../support/commandLine.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-console-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('where others could reach it, it is refused without a token, whether it runs beside a pipeline or alone', async () => {
  for (const args of [['console'], ['run', 'realtime', '--source', 'simulator']]) {
    const { code, stderr } = await runCommand([...args, '--console-host', '0.0.0.0', '--data-dir', folder], {
      cwd: folder,
    })
    expect(code).toBe(2)
    expect(stderr).toContain('on 0.0.0.0 others can reach the console: give it a token of 32 characters or more')
  }
}, 60_000)

it('without data it says how there comes some', async () => {
  const { code, stderr } = await runCommand(['console', '--data-dir', folder], { cwd: folder })
  expect(code).toBe(1)
  expect(stderr).toContain('run realtime')
}, 60_000)

it('comes with run realtime, shows it, and ends with it', async () => {
  const run = startCommand(['run', 'realtime', '--source', 'simulator', '--console-port', '0', '--data-dir', folder], {
    cwd: folder,
  })
  let printed = ''
  run.process.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  await run.seen(/ {2}console {6}http:\/\/127\.0\.0\.1:\d+\//)
  const [url = ''] = /http:\/\/127\.0\.0\.1:\d+\//.exec(printed) ?? []
  const overview = (await (await fetch(`${url}api/overview`)).json()) as { dataSets: readonly object[] }
  expect(overview.dataSets).toMatchObject([{ schema: 'simulated', isSimulated: true, problem: null }])
  await expect
    .poll(
      async () => {
        const { pipelines } = (await (await fetch(`${url}api/pipelines`)).json()) as {
          pipelines: readonly PipelineView[]
        }
        const [first] = pipelines
        return first?.pipeline === 'realtime' && first.records > 0 ? first.graph?.nodes.length : 0
      },
      { timeout: 60_000, interval: 500 },
    )
    .toBeGreaterThan(20)
  run.process.kill('SIGINT')
  expect((await run.ended).code).toBe(0)
}, 180_000)
