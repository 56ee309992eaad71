import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { eventAt } from '../../../bench/nexmark/events.ts'
import { JavaRandom } from '../../../bench/nexmark/javaRandom.ts'

const prototype = resolve(import.meta.dirname, '../../../../shared/prototypes/nexmark/gen.mjs')
if (!existsSync(prototype)) console.warn('SKIPPED: ../shared is not here, so events are compared by their digest alone')

const lines = (count: number) =>
  Array.from({ length: count }, (_, k) => {
    const { kind, value } = eventAt(k)
    return `${kind}\t${JSON.stringify(value)}\n`
  }).join('')

test('draws are those of java.util.Random', () => {
  const random = new JavaRandom()
  random.seed(42)
  // new Random(42): nextInt(), nextInt(10), nextInt(64), nextDouble() of Java.
  expect([random.nextInt32(), random.below(10), random.below(64), random.nextDouble()]).toEqual([
    -1170105035, 3, 43, 0.047939305137387644,
  ])
})

test('the first events are those that were compared with the generator of Apache Beam', () => {
  const digest = createHash('sha256').update(lines(20_000)).digest('hex')
  expect(digest).toBe('fdbd9a2926922210d505b0f8e0be641854494e14ecd5ac9cf611562cadf7f829')
})

test.skipIf(!existsSync(prototype))('and those of another implementation, byte for byte', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-nexmark-'))
  const printed = join(folder, 'events')
  // Into a file: it ends before a pipe is empty.
  const out = openSync(printed, 'w')
  spawnSync(process.execPath, [prototype, '--print', '50000'], {
    env: { ...process.env, RIG: folder },
    stdio: ['ignore', out, 'inherit'],
  })
  closeSync(out)
  const same = readFileSync(printed, 'utf8') === lines(50_000)
  rmSync(folder, { recursive: true })
  expect(same).toBe(true)
})
