import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { extname } from 'node:path'
import { pathToFileURL } from 'node:url'

/** What Node says of the syntax of modules in a file that it takes for CommonJS, and of an import of one. */
const saidOfCommonJs =
  /outside a module|Unexpected token 'export'|await is only valid|module '\.{0,2}\/[^']*\.[jt]s' does not provide an export/

/**
 * What to do about a file that Node takes for CommonJS although it is written as a module, as a sentence behind the message; empty where that is not what is wrong.
 * @param path of the file that Node complains of
 */
export function commonJsHint(path: string, message: string): string {
  if (!saidOfCommonJs.test(message)) return ''
  const extension = extname(path)
  if (extension === '.cts' || extension === '.cjs') {
    return `. By its name the file is CommonJS: name it ${extension === '.cts' ? '.ts or .mts' : '.js or .mjs'}.`
  }
  const manifest = findPackageJSON(pathToFileURL(path))
  if (manifest === undefined || !saysCommonJs(manifest)) return ''
  return (
    `. ${manifest} has "type": "commonjs", as npm init writes it, which makes CommonJS of .ts and .js files: ` +
    'set "type": "module" in it, or name the file .mts (.mjs).'
  )
}

function saysCommonJs(manifest: string): boolean {
  const { type } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly type?: unknown }
  return type === 'commonjs'
}
