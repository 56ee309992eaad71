#!/usr/bin/env node
import { versionProblem } from '../runtime/nodeVersion.ts'

// Everything else is imported after this check: an older Node would fail on it with an error that helps nobody.
const problem = versionProblem(process.versions.node)
if (problem !== null) {
  process.stderr.write(`${problem}\n`)
  process.exitCode = 1
} else {
  // Stripping types and compiling is done once then, not at each start: it takes longer than most commands do.
  const { enableCompileCache } = await import('node:module')
  enableCompileCache()
  const { runMain } = await import('./runMain.ts')
  await runMain(process.argv.slice(2))
}
