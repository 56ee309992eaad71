import { Document, visit } from 'yaml'

/** YAML that readers of both versions take for the same: some of 1.1, those of Python among them, read a bare `=` as a value of its own type. */
export function yamlText(content: object): string {
  const document = new Document(content, { aliasDuplicateObjects: false, compat: 'yaml-1.1' })
  visit(document, {
    Scalar(_, scalar) {
      if (scalar.value === '=') scalar.type = 'QUOTE_DOUBLE'
    },
  })
  return document.toString({ lineWidth: 0 })
}
