import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { type GeneratedPage, operatorPages } from './operatorPages.ts'
import { type EntryPoint, readPublicNames } from './publicNames.ts'
import { referencePages } from './referencePages.ts'
import { filePage, withSiteLinks } from './siteLinks.ts'
import { tablePage } from './tablePage.ts'

/** What the site is made of. */
export interface SiteSource {
  /** Every page, by its path below the site, with its Markdown. */
  readonly pages: ReadonlyMap<string, string>
  readonly operators: readonly GeneratedPage[]
  readonly reference: readonly GeneratedPage[]
  readonly entryPoints: readonly EntryPoint[]
}

/** Reads docs/, the README and the docstrings of the repository. Writes nothing. */
export function readSiteSource(root: string): SiteSource {
  const read = (path: string) => readFileSync(join(root, path), 'utf8')
  const entryPoints = readPublicNames(root)
  const operators = operatorPages(read('docs/operators/index.md'), entryPoints[0]?.names ?? [], (operator) =>
    read(`examples/operators/${operator}.ts`),
  )
  const migrations = globSync('sql/*.sql', { cwd: root }).toSorted().map(read)
  const reference = [tablePage(migrations), ...referencePages(entryPoints)]
  const pages = new Map<string, string>()
  const linked = new Set<string>()
  const add = (page: string, path: string, text: string) => {
    // The site shows no HTML, comments included.
    const { text: changed, files } = withSiteLinks(page, text.replaceAll(/^<!--.*-->\n+/gm, ''))
    for (const file of files) linked.add(file)
    pages.set(path, changed)
  }
  add('README.md', 'index.md', read('README.md'))
  for (const file of globSync('docs/**/*.md', { cwd: root }).toSorted())
    add(file, file.slice('docs/'.length), read(file))
  for (const { path, text } of operators) add('docs/operators/index.md', `${path}.md`, text)
  for (const { path, text } of reference) pages.set(`${path}.md`, text)
  // What these link to is linked too, so the list grows while it is read.
  for (const file of linked) {
    if (extname(file) === '.md') add(file, filePage(file), read(file))
    else
      pages.set(
        filePage(file),
        `---\nsearch: false\n---\n\n# ${file}\n\n\`\`\`\`${extname(file).slice(1)}\n${read(file)}\n\`\`\`\`\n`,
      )
  }
  const list = [...linked].toSorted().map((file) => `- [${file}](/${filePage(file)})`)
  pages.set('files/index.md', `# Files\n\nFiles of the repository that these pages speak of.\n\n${list.join('\n')}\n`)
  return { pages, operators, reference, entryPoints }
}

/** Writes the pages, and the pictures of docs/, into a folder of their own, which is emptied first. */
export function writeSiteSource(root: string, source: SiteSource, folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  for (const [path, text] of source.pages) {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  cpSync(join(root, 'docs/pictures'), join(folder, 'public/pictures'), { recursive: true })
}
