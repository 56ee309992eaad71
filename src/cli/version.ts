import { readFileSync } from 'node:fs'
import { packageFolder } from '../runtime/ownPackage.ts'

/** The version in package.json. */
export function version(): string {
  const text = readFileSync(new URL('package.json', packageFolder), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}
