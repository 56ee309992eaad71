// Makes `npx millrace` find this project's own command in its clone, as it would in a project that installed it.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const bin = join(root, 'node_modules/.bin')
const link = join(bin, 'millrace')

// Windows needs no link: there `npm run millrace --` is the way, because a link to a script cannot be executed.
if (process.platform !== 'win32') {
  mkdirSync(bin, { recursive: true })
  rmSync(link, { force: true })
  symlinkSync('../../dist/cli/main.js', link)
}
