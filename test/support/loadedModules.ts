// Imported before a program: at its end, writes into the file of MILLRACE_LOADED which packages it has loaded and how many modules, as JSON.
import { writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

const packages = new Set<string>()
let modules = 0
registerHooks({
  load(url, context, nextLoad) {
    if (url.startsWith('file:')) modules += 1
    const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
    if (name !== undefined) packages.add(name)
    return nextLoad(url, context)
  },
})
process.on('exit', () => {
  writeFileSync(process.env.MILLRACE_LOADED ?? '', JSON.stringify({ packages: [...packages].sort(), modules }))
})
