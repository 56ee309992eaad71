import { printedBy, programOf } from './operatorExample.ts'
import type { PublicMember, PublicName } from './publicNames.ts'

/** A page of the site that no file of docs/ is. */
export interface GeneratedPage {
  /** Path below the site, without the ending. */
  readonly path: string
  readonly title: string
  readonly text: string
}

/**
 * One page an operator: what docs/operators/index.md says and draws of it, its example with what it prints, its options and what its docstring promises.
 * `exampleOf` gives the text of the operator's file of examples/operators.
 */
export function operatorPages(
  catalogue: string,
  names: readonly PublicName[],
  exampleOf: (operator: string) => string,
): readonly GeneratedPage[] {
  return [...operatorSections(catalogue)].map(([operator, section]) => {
    const name = names.find((one) => one.name === operator)
    if (name === undefined)
      throw new Error(`docs/operators/index.md has a section of ${operator}, which is not exported`)
    const next = 'Next: [all operators](index.md), [test a pipeline](../learn/testing.md).'
    const text = [`# ${operator}`, section, ...exampleSection(exampleOf(operator)), ...detailsOf(name), next].join(
      '\n\n',
    )
    return { path: `operators/${operator}`, title: operator, text: `${text}\n` }
  })
}

/** The sections of the catalogue that are called by an operator, in their order. */
function operatorSections(catalogue: string): ReadonlyMap<string, string> {
  const sections = catalogue.split(/^(?=##+ )/m).flatMap((section) => {
    const [, operator] = /^### `(\w+)`\n/.exec(section) ?? []
    if (operator === undefined) return []
    const body = section.slice(section.indexOf('\n')).trim()
    // Links within the catalogue lead into it.
    return [[operator, body.replaceAll('](#', '](index.md#')] as const]
  })
  return new Map(sections)
}

function exampleSection(example: string): readonly string[] {
  return ['## Example', `\`\`\`ts\n${programOf(example)}\`\`\``, `\`\`\`text\n${printedBy(example)}\`\`\``]
}

/** Signature, options and docstring, in sections. */
export function detailsOf(name: PublicName): readonly string[] {
  return [
    '## Options',
    `\`\`\`ts\n${name.declaration}\n\`\`\``,
    ...(name.members.length === 0 ? [] : [memberTable(name.members)]),
    '## Guarantee, memory, errors',
    name.description,
    ...name.throws.map((text) => `**Throws** ${text}.`),
  ]
}

export function memberTable(members: readonly PublicMember[]): string {
  const rows = members.map(({ name, type, isOptional, description }) => {
    const shownType = type === '' ? '' : `\`${oneCell(type)}\``
    return `| \`${name}${isOptional ? '?' : ''}\` | ${shownType} | ${oneCell(description)} |`
  })
  return ['| name | type | what it is |', '|---|---|---|', ...rows].join('\n')
}

function oneCell(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ').replaceAll('|', '\\|')
}
