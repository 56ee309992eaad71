// Writes ops/superset/millrace.zip from the declarations in scripts/superset: `node scripts/writeSuperset.ts`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { bundleFiles } from './superset/bundle.ts'
import { zipOf } from './superset/zip.ts'

const folder = resolve(import.meta.dirname, '../ops/superset')
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'millrace.zip'), zipOf(bundleFiles()))
