import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { programs } from '../../scripts/buildChunks.ts'

const src = resolve(import.meta.dirname, '../../src')

it('builds each module that a process or a loader of ours starts from', () => {
  const texts = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(src, name), 'utf8'))
  const started = texts.flatMap((text) => [...text.matchAll(/\bownModule\('([^']*)'/g)].map(([, name]) => name))
  expect([...new Set(started)].sort()).toEqual([...programs].sort())
})

it('asks for the place of a module in one place, for a chunk lies elsewhere', () => {
  const asking = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) =>
        name.endsWith('.ts') && /import\.meta\.(url|dirname|filename)/.test(readFileSync(join(src, name), 'utf8')),
    )
    .filter((name) => !/createRequire\(import\.meta\.url\)/.test(readFileSync(join(src, name), 'utf8')))
  expect(asking).toEqual(['runtime/ownPackage.ts'])
})
