// Imported before a program: at its end, writes into the file of MILLRACE_LOADED which packages it has loaded, one a line.
import { writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

const packages = new Set<string>()
registerHooks({
  load(url, context, nextLoad) {
    const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
    if (name !== undefined) packages.add(name)
    return nextLoad(url, context)
  },
})
process.on('exit', () => writeFileSync(process.env.MILLRACE_LOADED ?? '', [...packages].sort().join('\n')))
