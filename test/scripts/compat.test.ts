import { execFile, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import { recordsOf, requireSame } from '../../scripts/compat/records.ts'

const compat = fileURLToPath(new URL('../../scripts/compat.ts', import.meta.url))
const run = promisify(execFile)

describe('npm run compat', () => {
  it('lists its cases, the short ones among them, and says where no case is meant', async () => {
    const listed = async (...args: readonly string[]) => {
      const { stdout } = await run(process.execPath, [compat, '--list', ...args])
      return stdout.trimEnd().split('\n')
    }
    const all = await listed()
    for (const part of ['kafka 2.8', 'kafka 3.5', 'kafka 4.1', 'postgres embedded', 'pgbouncer', 'versitygw', 'moto']) {
      expect(
        all.filter((line) => line.includes(part)),
        part,
      ).not.toEqual([])
    }
    const short = await listed('--short')
    expect(all).toEqual(expect.arrayContaining(short))
    expect(short.length).toBeLessThan(all.length / 2)
    await expect(run(process.execPath, [compat, '--only', 'no such case'])).rejects.toMatchObject({ code: 2 })
  }, 90_000)

  it('tells what is missing and what nobody wrote', () => {
    const records = recordsOf({ variant: 'v', from: 0, count: 3, hasKeys: true, hasHeaders: true })
    requireSame('rows', records, records.toReversed())
    expect(() => requireSame('rows', records, records.slice(1))).toThrow(
      /rows: 2 records instead of 3, 1 missing, 0 that/,
    )
    expect(() => requireSame('rows', records, [...records, ...records])).toThrow(
      /6 records instead of 3, 0 missing, 0 that/,
    )
    const strange = { key: null, value: '00', headers: [] }
    expect(() => requireSame('rows', records, [...records.slice(1), strange])).toThrow(/1 missing, 1 that nobody wrote/)
  })

  it('leaves nothing running and no folder when it is killed', async () => {
    const child = spawn(process.execPath, [compat, '--only', 'postgres embedded'], { stdio: 'ignore' })
    const before = new Set(foldersOf())
    const folder = await vi.waitFor(() => {
      const found = foldersOf().find((one) => !before.has(one) && serversIn(one).length > 0)
      expect(found).toBeDefined()
      return found as string
    }, 60_000)
    child.kill('SIGKILL')
    await vi.waitFor(() => {
      expect(serversIn(folder)).toEqual([])
      expect(existsSync(folder)).toBe(false)
    }, 20_000)
  }, 90_000)
})

function foldersOf(): string[] {
  return readdirSync(tmpdir())
    .filter((name) => name.startsWith('millrace-compat-'))
    .map((name) => join(tmpdir(), name))
}

/** Processes that were started with something of the folder. */
function serversIn(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(folder))
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
