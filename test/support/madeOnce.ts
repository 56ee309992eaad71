import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { withFileLock } from '../../src/embedded/fileLock.ts'

const root = resolve(import.meta.dirname, '../..')
const cache = join(root, '.cache/made')

/**
 * A folder that takes long to make and that all tests share: made by the first that asks, and again when a file that it is made of has another content. Nobody changes what is in it: a test copies what it needs.
 * @param sources files and folders, from the checkout
 * @param make fills the folder, which appears whole or not at all
 */
export async function madeOnce(
  name: string,
  sources: readonly string[],
  make: (folder: string) => Promise<void>,
): Promise<string> {
  return withFileLock(join(cache, `${name}.lock`), 300_000, async () => {
    for (;;) {
      const hash = hashOf(sources)
      const folder = join(cache, `${name}-${hash}`)
      if (existsSync(folder)) return folder
      for (const older of readdirSync(cache)) {
        if (older.startsWith(`${name}-`)) rmSync(join(cache, older), { recursive: true })
      }
      const draft = `${folder}.draft`
      mkdirSync(draft)
      await make(draft)
      // Else it would have the name of what it was not made of.
      if (hashOf(sources) === hash) {
        renameSync(draft, folder)
        return folder
      }
    }
  })
}

function hashOf(sources: readonly string[]): string {
  const hash = createHash('sha256')
  for (const path of sources.flatMap((source) => filesBelow(resolve(root, source)))) {
    hash.update(`${path}\0`).update(readFileSync(path))
  }
  return hash.digest('hex').slice(0, 16)
}

function filesBelow(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}
