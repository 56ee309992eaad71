import { siteMap } from './siteMap.ts'
import type { SiteSource } from './siteSource.ts'

/** The first heading of a page. */
export function titleOf(text: string): string {
  return /^# (.+)$/m.exec(text)?.[1]?.replaceAll('`', '') ?? ''
}

/** The first sentence below the heading, without marks. */
function summaryOf(text: string): string {
  const [paragraph = ''] = text
    .split(/\n\n+/)
    .filter((part) => !/^(?:#|```|\||- |\d+\. |:::)/.test(part.trim()) && part.trim() !== '')
  const plain = paragraph.replaceAll('\n', ' ').replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1')
  return /^.*?[.:?](?= |$)/.exec(plain)?.[0] ?? plain
}

/** The list of pages in the form of llmstxt.org: for programs that read the docs for somebody. */
export function llmsText(source: SiteSource): string {
  const line = (path: string) => {
    const text = source.pages.get(`${path}.md`) ?? ''
    const summary = summaryOf(text)
    return `- [${titleOf(text)}](/${path}.md)${summary === '' ? '' : `: ${summary}`}`
  }
  const sections = siteMap.map(({ title, pages }) => `## ${title}\n\n${pages.map(line).join('\n')}`)
  const generated = [...source.operators, ...source.reference].map(({ path }) => line(path)).join('\n')
  return [
    '# Millrace',
    `> ${summaryOf(source.pages.get('index.md') ?? '')}`,
    'Each page is Markdown at the address that is given here.',
    ...sections,
    `## Operators and names, one by one\n\n${generated}`,
    '',
  ].join('\n\n')
}
