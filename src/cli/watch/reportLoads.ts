import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { codeFolder } from '../../runtime/ownPackage.ts'

/** What a watched run tells its parent: a file of the project that it has loaded, or would have. */
export interface LoadedFile {
  readonly loaded: string
}

/** Modules of our own, which nobody edits while they run. */
const own = codeFolder.href

/** Tells the parent of each file of the project as it is loaded, and of one that is missing, and ends this process cleanly when the parent is gone. */
export function reportLoads(): void {
  const told = new Set<string>()
  const tell = (url: string) => {
    if (!url.startsWith('file:') || url.startsWith(own) || url.includes('/node_modules/') || told.has(url)) return
    told.add(url)
    const message: LoadedFile = { loaded: fileURLToPath(url) }
    if (process.connected) process.send?.(message, () => undefined)
  }
  registerHooks({
    resolve: (specifier, context, nextResolve) => {
      // One that is missing is not loaded, and may come.
      if (specifier.startsWith('.') && context.parentURL?.startsWith('file:') === true)
        tell(new URL(specifier, context.parentURL).href)
      return nextResolve(specifier, context)
    },
    load: (url, context, nextLoad) => {
      tell(url)
      return nextLoad(url, context)
    },
  })
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  // To be ready to hear that the parent is gone must not keep this process alive.
  process.channel?.unref()
}
