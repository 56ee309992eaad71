// Writes docs/reference/configuration.md and docs/reference/commands.md from the tables of settings and of commands. Run it after a change there.
import { writeFileSync } from 'node:fs'
import { configurationDocs } from '../src/cli/settingsDocs.ts'
import { commandPage } from './docs/commandPage.ts'

const folder = new URL('../docs/reference/', import.meta.url)
writeFileSync(new URL('configuration.md', folder), configurationDocs())
writeFileSync(new URL('commands.md', folder), await commandPage())
process.stdout.write('docs/reference/configuration.md and docs/reference/commands.md written\n')
