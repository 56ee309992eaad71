import { existsSync } from 'node:fs'

/** The folder of this package, in which its `package.json` and `sql/` lie, ending in a slash: above the sources, and above the chunks that are built of them. */
export const packageFolder = folderOf('package.json', new URL('.', import.meta.url))

const isBuilt = import.meta.url.endsWith('.js')

/** The folder of the code that runs, ending in a slash: `src/`, or `dist/` once it is built. */
export const codeFolder = new URL(isBuilt ? 'dist/' : 'src/', packageFolder)

/**
 * A module of ours that a process or a loader is to start from.
 * @param path below src, without an ending: `host/workerMain`. Built, it is there if the build knows it for a program.
 */
export function ownModule(path: string): URL {
  return new URL(`${path}${isBuilt ? '.js' : '.ts'}`, codeFolder)
}

/** The next folder upwards that has the file; the one to begin with where none has, as after a bundler. */
function folderOf(name: string, start: URL): URL {
  for (let folder = start; ; ) {
    if (existsSync(new URL(name, folder))) return folder
    const above = new URL('..', folder)
    if (above.href === folder.href) return start
    folder = above
  }
}
