import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { anchorsOf } from '../../scripts/docs/slug.ts'
import * as millrace from '../../src/index.ts'

const root = new URL('../../', import.meta.url)
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', 'examples/README.md'],
  ...globSync('docs/**/*.md', { cwd: root }),
]
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

it.each(pages)('every npm script that %s names exists', (page) => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(read('package.json'))
  const named = [...read(page).matchAll(/npm run ([\w:]+)/g)].map((match) => String(match[1]))
  expect(named.filter((name) => !(name in scripts))).toEqual([])
})

it.each(pages)('every file that %s links to exists, with the heading that the link names', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)]+))?\)/g)]
  const broken = links.filter(([, file = '', anchor]) => {
    const target = new URL(file === '' ? page : file, file === '' ? root : new URL(page, root))
    if (!existsSync(target)) return true
    return (
      anchor !== undefined && target.pathname.endsWith('.md') && !anchorsOf(readFileSync(target, 'utf8')).has(anchor)
    )
  })
  expect(broken.map(([link]) => link)).toEqual([])
})

const ofDocs = pages.filter((page) => page.startsWith('docs/') && !page.startsWith('docs/decisions/'))

it.each(ofDocs)('%s says what to read next', (page) => {
  expect(read(page)).toMatch(/^(Next: |## Where to go next$)/m)
})

it('the program in docs/operators/index.md is the one in examples/candles.ts', () => {
  const example = read('examples/candles.ts').replaceAll(/\s+/g, ' ')
  const [program] = [...read('docs/operators/index.md').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) =>
    String(match[1]),
  )
  const chain = program?.slice(program.indexOf('.pipe('), program.indexOf('.subscribe'))
  expect(example).toContain(chain?.replaceAll(/\s+/g, ' '))
})

it('the feed in docs/connect/feeds.md is the one in examples/weather.ts', () => {
  const example = read('examples/weather.ts').replaceAll(/\s+/g, ' ')
  const [program = ''] = [...read('docs/connect/feeds.md').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) =>
    String(match[1]),
  )
  const feed = /^export const weather = [\s\S]*?^}\)$/m.exec(program)?.[0] ?? ''
  expect(feed).toContain('defineFeed')
  expect(example).toContain(feed.replaceAll(/\s+/g, ' '))
})

it('docs/operators/index.md has a section of every operator that the package exports', () => {
  const files = readdirSync(new URL('src/operators/', root)).map((file) => file.replace('.ts', ''))
  const operators = files.filter((name) => name in millrace)
  expect(operators.length).toBeGreaterThanOrEqual(11)
  const sections = [...read('docs/operators/index.md').matchAll(/^### `(\w+)`$/gm)].map((match) => String(match[1]))
  expect(sections.toSorted()).toEqual(operators.toSorted())
})

it('docs/connect/index.md lists every codec and every outlet that the package exports', () => {
  const page = read('docs/connect/index.md')
  const connectors = Object.keys(millrace).filter((name) => /Codec$|^to(?!Table$|Fixed8$)[A-Z]/.test(name))
  expect(connectors.length).toBeGreaterThanOrEqual(9)
  expect(connectors.filter((name) => !page.includes(`\`${name}(`) && !page.includes(`\`${name}\``))).toEqual([])
})
