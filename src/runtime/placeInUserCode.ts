import { fileURLToPath } from 'node:url'
import { codeFolder } from './ownPackage.ts'

const ownFolder = fileURLToPath(codeFolder)

/** Where in the user's own code an error came about, as `file:line:column`: the first frame that is neither ours nor of a package. Null where there is none. */
export function placeInUserCode(error: unknown): string | null {
  if (!(error instanceof Error) || error.stack === undefined) return null
  for (const line of error.stack.split('\n')) {
    const [, file = '', place] = /^\s*at (?:.*\()?(.+?)(:\d+:\d+)\)?$/.exec(line) ?? []
    if (file === '' || file === '<anonymous>' || file.startsWith('node:')) continue
    const path = file.startsWith('file:') ? fileURLToPath(file) : file
    if (!path.startsWith(ownFolder) && !/[/\\]node_modules[/\\]/.test(path)) return `${path}${place}`
  }
  return null
}
