import { writeFileSync } from 'node:fs'
import { configurationDocs } from '../src/cli/settingsDocs.ts'

const path = new URL('../docs/configuration.md', import.meta.url)
writeFileSync(path, configurationDocs())
process.stdout.write('docs/configuration.md written\n')
