import { basename } from 'node:path'

/** The page that explains a file of examples/cookbook. */
export function recipePage(file: string): string {
  return `docs/cookbook/${basename(file).replace(/(?:\.check)?\.ts$/, '')}.md`
}

/** The page with the program in its first fence. */
export function withProgram(page: string, program: string): string {
  return page.replace(/^```ts\n[\s\S]*?^```/m, () => `\`\`\`ts\n${program}\`\`\``)
}
