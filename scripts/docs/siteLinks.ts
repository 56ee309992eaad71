import { posix } from 'node:path'

/** Files of the repository outside docs/ that its pages link to; the site has a page of each. */
export interface LinkedFiles {
  readonly text: string
  /** Paths from the root of the repository. */
  readonly files: readonly string[]
}

const link = /\]\((?!https?:|#|mailto:)([^)\s#]+)(#[^)]*)?\)/g

/** The page of the site that shows a file of the repository. */
export function filePage(file: string): string {
  return file.endsWith('.md') ? `files/${file}` : `files/${file}.md`
}

/**
 * The text of a page with links as the site has them: what leaves docs/ leads to `/files/…`, the README to the front page, a README of a folder to its index.
 * `page` is its path from the root of the repository.
 */
export function withSiteLinks(page: string, text: string): LinkedFiles {
  const files: string[] = []
  const changed = text.replaceAll(link, (whole, target: string, anchor = '') => {
    const path = posix.join(posix.dirname(page), target)
    if (path === 'README.md') return `](/index.md${anchor})`
    if (path.startsWith('docs/')) return `](/${path.slice('docs/'.length)}${anchor})`
    if (!/\.\w+$/.test(path)) return whole.replace(/\]\(.*\)/, '](/files/index.md)')
    files.push(path)
    return `](/${filePage(path)})`
  })
  return { text: changed, files }
}
