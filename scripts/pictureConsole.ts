// Makes the pictures of docs/platform/console.md from a scene in the database that tests use: `npm run console:pictures`.
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { chromium } from 'playwright-core'
import { browserPath } from '../test/support/browserPath.ts'
import { consoleOn } from '../test/support/consoleOn.ts'
import { paintScene, runScene } from '../test/support/consoleScene.ts'
import { testDatabase } from '../test/support/postgres.ts'

const folder = resolve(process.argv[2] ?? join(import.meta.dirname, '../docs/pictures'))
const isEach = process.argv.includes('--each')
const executablePath = browserPath()
if (executablePath === null) {
  console.error('There is no Chromium here: name one with CHROMIUM_PATH.')
  process.exit(2)
}
mkdirSync(folder, { recursive: true })
const db = await testDatabase()
const endScene = await runScene(db.pool)
await paintScene(db.pool, { now: Date.now() })
const running = await consoleOn(db.connection, db.schema, { describe: () => ({ name: 'real', isSimulated: false }) })
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })

const market = `#/market/${db.schema}/spot/BTCUSDT/1m?i=sma:20,bollinger:20:2,rsi:14,macd:12:26:9`
const pages = { market, pipeline: '#/pipeline', data: '#/data', alerts: '#/alerts', api: '#/api' } as const
const names = Object.keys(pages) as (keyof typeof pages)[]
/** Those of the pages of docs. */
const shown = ['market', 'data', 'pipeline'] as const
const sizes = isEach ? [1440, 820, 390] : [1440]
try {
  for (const colorScheme of ['dark', 'light'] as const) {
    for (const width of sizes) {
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme })
      for (const name of isEach ? names : shown) {
        await page.goto(`${running.url}${pages[name]}`)
        await page.locator('.chart canvas, .graph, .graph-list, .table-box, .card, .empty').first().waitFor()
        await page.waitForTimeout(name === 'pipeline' ? 6_000 : 2_500)
        if (name === 'data') {
          await page.getByRole('button', { name: 'malformed' }).first().click()
          await page.locator('[data-letter]').first().click()
          await page.locator('.payload').waitFor()
        }
        await page.screenshot({ path: join(folder, `console-${name}-${colorScheme}${isEach ? `-${width}` : ''}.png`) })
      }
      await page.close()
    }
  }
} finally {
  await browser.close()
  await running.close()
  await endScene()
  await db.close()
}
