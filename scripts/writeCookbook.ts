// Puts the files of examples/cookbook into the pages of docs/cookbook that are called like them.
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { recipePage, withProgram } from './docs/recipes.ts'

for (const file of globSync('examples/cookbook/*.ts')) {
  const page = recipePage(file)
  writeFileSync(page, withProgram(readFileSync(page, 'utf8'), readFileSync(file, 'utf8')))
}
