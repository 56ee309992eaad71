import { readFileSync } from 'node:fs'

/** The folder of this package, in which its `package.json` and `sql/` lie, ending in a slash: above the sources, and above the chunks that are built of them. */
export const packageFolder = ownFolder(new URL('.', import.meta.url))

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

/** The next folder upwards that is of this package; the one to begin with where none is, as after a bundler: what else lies there is somebody else's. */
function ownFolder(start: URL): URL {
  for (let folder = start; ; ) {
    if (isOwn(folder)) return folder
    const above = new URL('..', folder)
    if (above.href === folder.href) return start
    folder = above
  }
}

function isOwn(folder: URL): boolean {
  try {
    const manifest = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'))
    return (manifest as { readonly name?: unknown } | null)?.name === 'millrace'
  } catch {
    return false
  }
}
