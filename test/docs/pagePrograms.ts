import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: Record<string, string | { readonly types: string }>
}
/** The source of each entry point, by what programs import. */
const entries = new Map(
  Object.entries(exports).flatMap(([path, entry]) =>
    typeof entry === 'string'
      ? []
      : [[`millrace${path.slice(1)}`, entry.types.replace('./dist/modules/', 'src/').replace('.d.ts', '.ts')]],
  ),
)

/** The text of a file of this repository. */
export function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** What stands in fences of a language on a page, in order. */
export function fences(page: string, language: string): readonly string[] {
  return [...textOf(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((match) =>
    String(match[1]),
  )
}

/** The same program, on the sources instead of the package. */
export function onSources(program: string): string {
  return program.replaceAll(/from '(millrace[/\w]*)'/g, (_, name: string) => `from '${root}/${entries.get(name)}'`)
}

/** The programs of pages as files of one folder. */
export interface ProgramFiles {
  readonly folder: string
  /** Where each program is, as `README.md 1`. */
  readonly files: ReadonlyMap<string, string>
}

/** Writes the programs of the pages into a new folder, and beside them those that they import by a name of their own. */
export function writePrograms(pages: readonly string[]): ProgramFiles {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-docs-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const files = new Map<string, string>()
  const write = (name: string, program = '') => {
    const file = join(folder, name)
    writeFileSync(file, onSources(program))
    return file
  }
  for (const page of pages) {
    for (const [i, program] of fences(page, 'ts').entries()) {
      files.set(`${page} ${i + 1}`, write(`${page.replaceAll(/\W/g, '_')}_${i + 1}.ts`, program))
    }
  }
  write('hottest.ts', fences('README.md', 'ts')[0])
  write('paid.ts', fences('docs/learn/inputs.md', 'ts')[0])
  write('priced.ts', fences('docs/learn/tables.md', 'ts')[0])
  write('sales.ts', textOf('examples/sales.ts'))
  write('byCustomer.ts', textOf('examples/byCustomer.ts'))
  write('spentPerDay.ts', textOf('examples/spentPerDay.ts'))
  write('weather.ts', textOf('examples/weather.ts'))
  write('correctLateData.ts', textOf('examples/cookbook/correctLateData.ts'))
  return { folder, files }
}
