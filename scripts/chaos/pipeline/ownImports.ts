// Lets a file that imports `millrace`, as those of users do, meet the sources of this repository, without a build. Loaded by `--import`, and by the script itself.
import { registerHooks } from 'node:module'

const source = new URL('../../../src/', import.meta.url)

registerHooks({
  resolve(specifier, context, next) {
    const own = /^millrace(?:\/(\w+))?$/.exec(specifier)
    if (own === null) return next(specifier, context)
    const [, entry = 'index'] = own
    return next(new URL(entry === 'testing' ? 'testing/index.ts' : `${entry}.ts`, source).href, context)
  },
})
