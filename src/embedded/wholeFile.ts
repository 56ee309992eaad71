import { closeSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'

/** What file systems say that know no second name of a file: FAT, some network shares, some mounts into containers. */
const withoutLinks: ReadonlySet<string | undefined> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EACCES',
])

/**
 * Gives a draft its name unless something has that name already; of several processes at once, one succeeds. The file appears with all that is in it, but on
 * a file system without hard links for the moment of one write: who finds it empty there looks again.
 * @returns whether it was this one
 */
export function createWhole(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (!withoutLinks.has(code)) throw error
    return createByWriting(readFileSync(draft), path)
  }
}

function createByWriting(content: Buffer, path: string): boolean {
  let file: number
  try {
    file = openSync(path, 'wx')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
  try {
    writeSync(file, content)
    return true
  } catch (error) {
    rmSync(path, { force: true })
    throw error
  } finally {
    closeSync(file)
  }
}
