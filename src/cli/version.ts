import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** The version in package.json, which is two folders up from the source as well as from what is built of it. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version
}
