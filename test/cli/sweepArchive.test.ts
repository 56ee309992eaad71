import { chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { runCommand } from '../support/commandLine.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sweep-'))
chmodSync(folder, 0o755)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const millrace = (...args: string[]) => runCommand([...args, '--data-dir', join(folder, 'data')], { cwd: folder })

describe('archive sweep', () => {
  it('lists what no manifest names, deletes it when told to, and leaves the rest', async () => {
    const frame = (id: number) =>
      `{"stream":"abusdt@trade","data":{"e":"trade","E":${1_723_161_255_343 + id},"s":"ABUSDT","t":${id},"p":"1","q":"1","T":${1_723_161_255_342 + id},"m":true,"M":true}}`
    const tape = join(folder, 'tape.jsonl.gz')
    writeFileSync(tape, gzipSync(Array.from({ length: 20 }, (_, i) => frame(i)).join('\n')))
    await millrace('run', 'realtime', '--source', 'tape', '--tape', tape, '--until-end')
    const archive = join(folder, 'data/archive')
    const [object = ''] = readdirSync(archive, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.zst'),
    )
    const orphan = join(dirname(object), '00000000000000000000-00000000000000000003.jsonl.zst')
    copyFileSync(join(archive, object), join(archive, orphan))

    expect(await millrace('archive', 'sweep')).toMatchObject({ code: 0, stdout: `${orphan}\n` })
    expect(await millrace('archive', 'sweep', '--delete')).toMatchObject({ code: 0, stdout: `${orphan}\n` })
    expect(existsSync(join(archive, orphan))).toBe(false)
    expect(existsSync(join(archive, object))).toBe(true)
    expect(await millrace('archive', 'sweep')).toMatchObject({ code: 0, stdout: '' })
  })
})
