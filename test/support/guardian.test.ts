import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { runChild } from './childProcess.ts'
import { processOf } from './guardian/processes.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-guardian-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.skipIf(process.platform !== 'linux')(
  'a run of tests that is killed leaves no server and no process behind (needs /proc)',
  { timeout: 90_000 },
  async () => {
    const run = runChild(new URL('./guardian/startsAndHangs.ts', import.meta.url), [folder])
    const pids = (await run.firstLine()).split(' ').map(Number)
    expect(pids).toHaveLength(2)
    for (const pid of pids) expect(processOf(pid)).not.toBeNull()
    await run.kill()
    await expect.poll(() => pids.map(processOf), { timeout: 30_000 }).toEqual([null, null])
  },
)
