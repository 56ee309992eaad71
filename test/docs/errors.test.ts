import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import * as errors from '../../src/runtime/errors.ts'

type ErrorClass = new (message: string) => errors.MillraceError

const page = readFileSync(new URL('../../docs/reference/errors.md', import.meta.url), 'utf8')
const classes = Object.entries(errors).filter(([name]) => name !== 'MillraceError') as [string, ErrorClass][]
const codes = classes.map(([, Class]) => new Class('').code)

it('every error has a code of its own', () => {
  expect(new Set(codes).size).toBe(codes.length)
  for (const code of codes) expect(code).toMatch(/^MILLRACE_[A-Z_]+$/)
})

it('docs/reference/errors.md has a section for every code, and none for a code that does not exist', () => {
  const sections = [...page.matchAll(/^## `(MILLRACE_[A-Z_]+)`$/gm)].map((match) => match[1])
  expect(sections.sort()).toEqual([...codes].sort())
})

it('the table of docs/reference/errors.md pairs every code with its class', () => {
  const rows = [...page.matchAll(/^\| \[`(MILLRACE_[A-Z_]+)`\]\(#\w+\) \| `(\w+)` \|/gm)].map((row) => [row[1], row[2]])
  expect(rows.sort()).toEqual(classes.map(([name, Class]) => [new Class('').code, name]).sort())
})

it('an error names its own class and keeps its cause and its place', () => {
  for (const [name, Class] of classes as [string, new (message: string, options: object) => errors.MillraceError][]) {
    const cause = new Error('why')
    const error = new Class('what', { cause, topic: 'trades', partition: 3, offset: 7 })
    expect(error).toMatchObject({ name, message: 'what', cause, topic: 'trades', partition: 3, offset: 7 })
    expect('pipeline' in error).toBe(false)
  }
})
