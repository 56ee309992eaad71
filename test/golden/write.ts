import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type Golden, goldenFolder } from './golden.ts'
import { checkpointOf, goOn } from './run.ts'
import { scenarios } from './scenarios.ts'

// Writes the golden checkpoints of the release that this tree is. Once written they are never written again: they stand for what users have stored.

const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
const { version } = JSON.parse(manifest) as { readonly version: string }
const folder = new URL(`v${version}/`, goldenFolder)
if (existsSync(folder))
  throw new Error(`test/golden/v${version} is there already; golden checkpoints are written once a release`)

mkdirSync(folder)
for (const [name, { pipeline, first, cutsAfter, ...continuation }] of Object.entries(scenarios)) {
  const saved = checkpointOf(pipeline, first, cutsAfter)
  const expected = goOn(pipeline, saved, continuation, (pushed) => pushed === continuation.restartAfter)
  const golden: Golden = { pipeline, saved, ...continuation, expected }
  const text = JSON.stringify(golden, null, 1)
  writeFileSync(new URL(`${name}.json`, folder), `${text}\n`)
  process.stdout.write(`v${version}/${name}.json: ${text.length} characters\n`)
}
