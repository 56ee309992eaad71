import type { GeneratedPage } from './operatorPages.ts'
import { memberTable } from './operatorPages.ts'
import type { EntryPoint, PublicName } from './publicNames.ts'

/** One page an entry point, with every name that it exports. */
export function referencePages(entryPoints: readonly EntryPoint[]): readonly GeneratedPage[] {
  return entryPoints.map(({ specifier, names }) => ({
    path: `reference/${specifier.replace('/', '-')}`,
    title: specifier,
    text: [`# ${specifier}`, `\`\`\`ts\nimport { … } from '${specifier}'\n\`\`\``, ...names.map(sectionOf), ''].join(
      '\n\n',
    ),
  }))
}

function sectionOf(name: PublicName): string {
  return [
    `## ${name.name}`,
    `\`\`\`ts\n${name.declaration}\n\`\`\``,
    ...(name.description === '' ? [] : [name.description]),
    ...name.throws.map((text) => `**Throws** ${text}.`),
    ...(name.members.length === 0 ? [] : [memberTable(name.members)]),
  ].join('\n\n')
}
