import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { madeOnce } from './madeOnce.ts'

const name = `tried-${process.pid}`
let sources: string
let made = 0

beforeEach(() => {
  sources = mkdtempSync(join(tmpdir(), 'millrace-sources-'))
  mkdirSync(join(sources, 'below'))
  writeFileSync(join(sources, 'below/one.ts'), '1')
  made = 0
})

const make = () =>
  madeOnce(name, [sources], async (folder) => {
    made += 1
    writeFileSync(join(folder, 'of'), readFileSync(join(sources, 'below/one.ts')))
  })

afterEach(async () => {
  const cache = dirname(await make())
  for (const left of readdirSync(cache)) if (left.startsWith(name)) rmSync(join(cache, left), { recursive: true })
  rmSync(sources, { recursive: true })
})

test('is made by the first of those that ask at one time, and is there for the others', async () => {
  const folders = await Promise.all([make(), make(), make()])
  expect(new Set(folders).size).toBe(1)
  expect(made).toBe(1)
})

test('is made anew, in the place of the one before, when what it is made of is another', async () => {
  const before = await make()
  writeFileSync(join(sources, 'below/one.ts'), '2')
  const after = await make()
  expect(readFileSync(join(after, 'of'), 'utf8')).toBe('2')
  expect(readdirSync(dirname(after)).filter((one) => one.startsWith(`${name}-`))).toEqual([basename(after)])
  expect(before).not.toBe(after)
  writeFileSync(join(sources, 'two.ts'), '')
  await make()
  expect(made).toBe(3)
})

test('that fails halfway leaves nothing that would be taken for it', async () => {
  const failing = madeOnce(name, [sources], async (folder) => {
    writeFileSync(join(folder, 'of'), 'half')
    throw new Error('no room')
  })
  await expect(failing).rejects.toThrow('no room')
  expect(readFileSync(join(await make(), 'of'), 'utf8')).toBe('1')
})

test('is made again where what it is made of changes meanwhile, so that its name tells the truth', async () => {
  const one = join(sources, 'below/one.ts')
  const folder = await madeOnce(name, [sources], async (draft) => {
    made += 1
    if (made === 1) writeFileSync(one, '2')
    writeFileSync(join(draft, 'of'), readFileSync(one))
    if (made === 2) writeFileSync(one, '1')
  })
  expect(readFileSync(join(folder, 'of'), 'utf8')).toBe('1')
  expect(made).toBe(3)
  expect(await make()).toBe(folder)
})
