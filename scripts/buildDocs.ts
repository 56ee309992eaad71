// Builds the site of the docs: pages of docs/, one page an operator, the reference, and all of it as plain Markdown. With --serve it is shown on loopback.
import { join, resolve } from 'node:path'
import { buildSite } from './docs/buildSite.ts'
import { serveSite } from './docs/siteServer.ts'

const root = resolve(import.meta.dirname, '..')
const source = await buildSite(root)
process.stdout.write(`${source.pages.size} pages in .cache/site/out\n`)
if (process.argv.includes('--serve')) {
  const { url } = await serveSite(join(root, '.cache/site/out'), 4173)
  process.stdout.write(`${url}; Ctrl-C stops it\n`)
}
