import { resolve } from 'node:path'
import { defineConfig } from 'vitepress'
import { diagramHtml } from '../../scripts/docs/diagram.ts'
import { titleOf } from '../../scripts/docs/llms.ts'
import { siteMap } from '../../scripts/docs/siteMap.ts'
import { readSiteSource } from '../../scripts/docs/siteSource.ts'
import { slugOf } from '../../scripts/docs/slug.ts'

const root = resolve(import.meta.dirname, '../..')
const source = readSiteSource(root)
const linkTo = (path: string) => ({ text: titleOf(source.pages.get(`${path}.md`) ?? ''), link: `/${path}` })

// biome-ignore lint/style/noDefaultExport: VitePress takes it from there
export default defineConfig({
  title: 'Millrace',
  description:
    'Stream processing for TypeScript: event time, recovery and exactly-once results by importing RxJS operators.',
  lang: 'en',
  cleanUrls: true,
  srcDir: '../.cache/site/source',
  outDir: '../.cache/site/out',
  cacheDir: '../.cache/site/vite',
  // What stands in angle brackets is text and no element.
  markdown: {
    html: false,
    languageAlias: { jsonl: 'json', service: 'ini' },
    anchor: { slugify: slugOf },
    config: (markdown) => {
      const { fence } = markdown.renderer.rules
      if (fence === undefined) throw new Error('bug: a renderer without fences')
      markdown.renderer.rules.fence = (tokens, index, ...rest) => {
        const token = tokens[index]
        return token?.info === 'diagram' ? diagramHtml(token.content) : fence(tokens, index, ...rest)
      }
    },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
  },
  themeConfig: {
    search: {
      provider: 'local',
      options: {
        miniSearch: {
          searchOptions: {
            // Pages that explain come before those that list, and before the history of the project.
            boostDocument: (path: string) =>
              /^\/(files|decisions)\//.test(path) ? 0.2 : path.startsWith('/reference/') ? 0.5 : 1,
          },
        },
      },
    },
    outline: [2, 3],
    nav: [
      { text: 'Start', link: '/start/firstPipeline' },
      { text: 'Learn', link: '/learn/eventTime' },
      { text: 'Cookbook', link: '/cookbook/' },
      { text: 'Operators', link: '/operators/' },
      { text: 'Run', link: '/run/' },
      { text: 'Reference', link: '/reference/commands' },
    ],
    sidebar: siteMap.map(({ title, pages }) => ({
      text: title,
      // Without one the heading is a button with a button in it.
      link: linkTo(pages[0] ?? '').link,
      // The one with the page that is shown opens by itself.
      collapsed: title !== 'Start',
      items: [
        ...pages.map(linkTo),
        ...(title === 'Operators' ? source.operators.map(({ path }) => linkTo(path)) : []),
        ...(title === 'Reference' ? source.reference.map(({ path }) => linkTo(path)) : []),
      ],
    })),
  },
})
