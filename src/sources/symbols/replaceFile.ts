import { realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { ConfigurationError } from '../../runtime/errors.ts'

/** Puts a text in the place of a file, whole or not at all, with the permissions that it had; a link stays one. Throws `ConfigurationError` where it may not be written. */
export async function replaceFile(path: string, text: string): Promise<void> {
  try {
    const target = await realpath(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return path
      throw error
    })
    const draft = `${target}.${process.pid}.new`
    try {
      const found = await stat(target).catch(() => null)
      await writeFile(draft, text, { mode: found === null ? 0o644 : found.mode })
      await rename(draft, target)
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new ConfigurationError(`${path} cannot be written (${code}). Nothing was changed.`, { cause: error })
  }
}
