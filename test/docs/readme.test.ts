import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const root = new URL('../../', import.meta.url)
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'examples/README.md',
  'docs/errors.md',
  'docs/outlets.md',
  'docs/tables.md',
  'docs/testing.md',
  'docs/feeds.md',
  'docs/kafka.md',
  'docs/running.md',
  'docs/deployment.md',
  'docs/changing.md',
  'docs/decisions/README.md',
]
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

it.each(pages)('every npm script that %s names exists', (page) => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(read('package.json'))
  const named = [...read(page).matchAll(/npm run ([\w:]+)/g)].map((match) => String(match[1]))
  expect(named.filter((name) => !(name in scripts))).toEqual([])
})

it.each(pages)('every file that %s links to exists', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => String(match[1]))
  expect(links.filter((link) => !existsSync(new URL(link, new URL(page, root))))).toEqual([])
})

it('the program in the README is the one in examples/candles.ts', () => {
  const example = read('examples/candles.ts').replaceAll(/\s+/g, ' ')
  const [program] = [...read('README.md').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => String(match[1]))
  const chain = program?.slice(program.indexOf('.pipe('), program.indexOf('.subscribe'))
  expect(example).toContain(chain?.replaceAll(/\s+/g, ' '))
})

it('the feed in docs/feeds.md is the one in examples/weather.ts', () => {
  const example = read('examples/weather.ts').replaceAll(/\s+/g, ' ')
  const [program = ''] = [...read('docs/feeds.md').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => String(match[1]))
  const feed = program.slice(program.indexOf('export const')).trim()
  expect(feed).toContain('defineFeed')
  expect(example).toContain(feed.replaceAll(/\s+/g, ' '))
})
