// Builds the site, which fails on a link that leads nowhere, and holds it to what it must have: every page, name, command, setting, error and table has its place; in a browser every
// kind of page is accessible in both themes, and the search finds what people look for.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import axe from 'axe-core'
import { type Browser, chromium, type Page } from 'playwright-core'
import { settings } from '../src/cli/settings.ts'
import { commandNames, type Setting } from '../src/cli/settingTypes.ts'
import * as errors from '../src/runtime/errors.ts'
import { ownTables } from '../src/sinks/postgres/ownTables.ts'
import { buildSite } from './docs/buildSite.ts'
import { siteMap } from './docs/siteMap.ts'
import { serveSite } from './docs/siteServer.ts'
import type { SiteSource } from './docs/siteSource.ts'

const root = resolve(import.meta.dirname, '..')
const faults: string[] = []

/** What is there and has no place in the site. */
function checkPlaces({ pages, operators, entryPoints }: SiteSource): void {
  const mapped = new Set(siteMap.flatMap((section) => section.pages))
  for (const file of globSync('docs/**/*.md', { cwd: root })) {
    const page = file.slice('docs/'.length, -'.md'.length)
    if (!mapped.has(page) && !page.startsWith('decisions/')) faults.push(`${file} is not in scripts/docs/siteMap.ts`)
  }
  const places = (page: string) => new Set([...(pages.get(page) ?? '').matchAll(/^## (.+)$/gm)].map(([, name]) => name))
  const commands = places('reference/commands.md')
  for (const command of commandNames) if (!commands.has(command)) faults.push(`no place for the command ${command}`)
  const configuration = pages.get('reference/configuration.md') ?? ''
  for (const [name, { env, flag }] of Object.entries(settings) as [string, Setting][]) {
    const isThere =
      configuration.includes(`| ${name} |`) &&
      [env, flag].every((word) => word === null || configuration.includes(`\`${word}\``))
    if (!isThere) faults.push(`no place for the setting ${name}`)
  }
  const codes = places('reference/errors.md')
  const { MillraceError: _base, ...kinds } = errors
  for (const Kind of Object.values(kinds)) {
    const { code } = new Kind('')
    if (!codes.has(`\`${code}\``)) faults.push(`no place for the error ${code}`)
  }
  const tables = places('reference/tables.md')
  for (const table of ownTables) if (!tables.has(table)) faults.push(`no place for the table ${table}`)
  for (const { specifier, names } of entryPoints) {
    const known = places(`reference/${specifier.replace('/', '-')}.md`)
    for (const { name } of names) if (!known.has(name)) faults.push(`no place for ${name} of ${specifier}`)
  }
  for (const { title, text } of operators) {
    for (const part of ['```diagram\n', '```text\n', '## Example', '## Options', '## Guarantee', 'Next: ']) {
      if (!text.includes(part)) faults.push(`the page of ${title} has no ${part.trim()}`)
    }
  }
}

/** One of each kind. */
const visited = [
  '/',
  '/start/firstPipeline',
  '/learn/eventTime',
  '/cookbook/',
  '/operators/sessionWindow',
  '/connect/postgres',
  '/run/',
  '/platform/console',
  '/reference/commands',
  '/reference/tables',
]

async function checkAccess(page: Page, url: string): Promise<void> {
  await page.addScriptTag({ content: axe.source })
  const violations = await page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run()
    return violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .map(({ target }) => target.join(' '))
          .slice(0, 3)
          .join(', ')}`,
    )
  })
  faults.push(...violations.map((violation) => `${url}: ${violation}`))
}

/** Among the first that the search finds there has to be the page that is about the words. */
async function checkSearch(page: Page, words: string, expected: string): Promise<void> {
  await page.keyboard.press('Control+k')
  await page.fill('#localsearch-input', words)
  const results = page.locator('#localsearch-list .result')
  await results
    .first()
    .waitFor({ timeout: 20_000 })
    .catch(() => undefined)
  const found = await results.evaluateAll((links) => links.map((link) => link.getAttribute('href') ?? ''))
  if (!found.slice(0, 5).some((path) => path.startsWith(expected))) {
    faults.push(`the search for "${words}" has no ${expected} among the first five: ${found.slice(0, 5).join(', ')}`)
  }
  await page.keyboard.press('Escape')
}

async function checkInBrowser(browser: Browser, url: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ colorScheme, bypassCSP: true })
    const page = await context.newPage()
    page.on('pageerror', (error) => faults.push(`error in a page: ${error.message}`))
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('data:'))
        faults.push(`asks elsewhere: ${request.url()}`)
    })
    for (const path of visited) {
      await page.goto(url + path, { waitUntil: 'networkidle' })
      await checkAccess(page, `${path} (${colorScheme})`)
    }
    if (colorScheme === 'light') {
      await checkSearch(page, 'late', '/learn/lateData')
      await checkSearch(page, 'dedupe', '/operators/dedupe')
      await checkSearch(page, 'exactly once', '/learn/exactlyOnce')
      await checkSearch(page, 'session', '/operators/sessionWindow')
    }
    await context.close()
  }
}

const source = await buildSite(root)
checkPlaces(source)
const links = readFileSync(join(root, '.cache/site/out/llms.txt'), 'utf8').matchAll(/\]\((\/\S+)\)/g)
for (const [, path = ''] of links) {
  if (!existsSync(join(root, '.cache/site/out', path))) faults.push(`llms.txt names ${path}, which is not there`)
}
const executablePath = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path !== undefined && existsSync(path),
)
if (executablePath === undefined) {
  process.stdout.write(
    'SKIPPED: no Chromium here (CHROMIUM_PATH names one), so the site was not opened in a browser.\n',
  )
} else {
  const server = await serveSite(join(root, '.cache/site/out'))
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  try {
    await checkInBrowser(browser, server.url)
  } finally {
    await browser.close()
    await server.close()
  }
}
for (const fault of faults) process.stdout.write(`${fault}\n`)
process.stdout.write(`${source.pages.size} pages, ${faults.length} faults\n`)
process.exitCode = faults.length === 0 ? 0 : 1
