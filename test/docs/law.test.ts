import { rmSync } from 'node:fs'
import { afterAll, expect, it } from 'vitest'
import { writePrograms } from './pagePrograms.ts'

// The programs of the page are tests themselves, so they are run as they stand.
const { folder, files } = writePrograms(['docs/learn/testing.md'])
afterAll(() => rmSync(folder, { recursive: true, force: true }))
for (const file of files.values()) await import(file)

it('docs/learn/testing.md has a test of one input, one of several, one of two pipelines, a law and an exchange', () => {
  expect([...files.keys()]).toEqual([
    'docs/learn/testing.md 1',
    'docs/learn/testing.md 2',
    'docs/learn/testing.md 3',
    'docs/learn/testing.md 4',
    'docs/learn/testing.md 5',
  ])
})
