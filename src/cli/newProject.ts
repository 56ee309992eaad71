import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageFolder } from '../runtime/ownPackage.ts'
import { UsageError } from './exit.ts'

const template = fileURLToPath(new URL('templates/app/', packageFolder))

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
}

/**
 * Makes a project of the template in a folder that is empty or not there yet, and gives its name, which is the folder's.
 * @param millrace what its dependency on this package says, as npm takes it
 * @throws UsageError on a name that npm would refuse, and on a folder that cannot take a project
 */
export function makeProject(directory: string, millrace: string): string {
  const path = resolve(directory)
  const name = basename(path)
  const manifest: Manifest = JSON.parse(readFileSync(join(template, 'package.json'), 'utf8'))
  const problem = nameProblem(name, Object.keys(manifest.dependencies)) ?? folderProblem(directory, path)
  if (problem !== null) throw new UsageError(problem)
  try {
    mkdirSync(path, { recursive: true })
    cpSync(template, path, { recursive: true })
    // npm leaves a file of its real name out of a package.
    renameSync(join(path, 'gitignore'), join(path, '.gitignore'))
    const own = { ...manifest, name, dependencies: { ...manifest.dependencies, millrace } }
    writeFileSync(join(path, 'package.json'), `${JSON.stringify(own, null, 2)}\n`)
    const readme = join(path, 'README.md')
    writeFileSync(readme, readFileSync(readme, 'utf8').replace('# my-app', `# ${name}`))
  } catch (error) {
    throw new UsageError(`${directory}: the project could not be written: ${String(error)}`, { cause: error })
  }
  return name
}

function nameProblem(name: string, dependencies: readonly string[]): string | null {
  if (!/^[a-z0-9][a-z0-9._-]{0,213}$/.test(name) || name === 'node_modules') {
    return `${JSON.stringify(name)} cannot be the name of a package: use lower-case letters, digits, -, _ and dots, starting with a letter or a digit, such as my-app.`
  }
  if (!dependencies.includes(name)) return null
  return `${name} is a package that the project needs, so it cannot have the same name: choose another, such as my-app.`
}

function folderProblem(directory: string, path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return null
  if (!found.isDirectory()) return `${directory} is a file: name a folder that is empty or not there yet.`
  const [first, ...others] = readdirSync(path).filter((entry) => entry !== '.git')
  if (first === undefined) return null
  const what = others.length === 0 ? first : `${first} and ${others.length} more`
  return `${directory} is not empty (${what}), and nothing in it was changed: name a folder that is empty or not there yet.`
}
