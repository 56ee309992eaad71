import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vitepress'
import { llmsText } from './llms.ts'
import { readSiteSource, type SiteSource, writeSiteSource } from './siteSource.ts'

/** Builds the site into .cache/site/out, with every page as plain Markdown beside it and llms.txt. Throws on a link that leads nowhere. */
export async function buildSite(root: string): Promise<SiteSource> {
  const folder = join(root, '.cache/site')
  const source = readSiteSource(root)
  writeSiteSource(root, source, join(folder, 'source'))
  await build(join(root, 'docs'))
  cpSync(join(folder, 'source'), join(folder, 'out'), { recursive: true })
  writeFileSync(join(folder, 'out/llms.txt'), llmsText(source))
  return source
}
