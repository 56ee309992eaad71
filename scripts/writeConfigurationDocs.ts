import { writeFileSync } from 'node:fs'
import { configurationDocs } from '../src/cli/settingsDocs.ts'

const path = new URL('../docs/reference/configuration.md', import.meta.url)
writeFileSync(path, configurationDocs())
process.stdout.write('docs/reference/configuration.md written\n')
