import { versionProblem } from './nodeVersion.ts'

// Every entry point imports this first, so that an older Node says this, before it stumbles over something that it does not have. For that no module
// may import by name what such a Node lacks: that fails before anything is run.
const problem = versionProblem(process.versions.node)
if (problem !== null) throw new Error(problem)
