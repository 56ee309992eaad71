import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { suggest } from '../runtime/suggest.ts'
import { UsageError } from './exit.ts'
import { commonJsHint } from './moduleKind.ts'

const typeScript = ['.ts', '.mts', '.cts']
const javaScript = ['.js', '.mjs', '.cjs']

/** What a module exports, by name. */
export type ModuleExports = Readonly<Record<string, unknown>>

/**
 * Imports a TypeScript or JavaScript file of the user's.
 * @param alsoNames what could have been meant instead of a file
 * @throws UsageError, which says why it could not be loaded and at which place of it
 */
export async function importFile(file: string, alsoNames: readonly string[] = []): Promise<ModuleExports> {
  const path = resolve(file)
  const problem = pathProblem(file, path, alsoNames) ?? typeScriptProblem(file, process.features.typescript)
  if (problem !== null) throw new UsageError(problem)
  try {
    return await settled(file, import(pathToFileURL(path).href) as Promise<ModuleExports>)
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(loadFailure(file, path, error), { cause: error })
  }
}

/** Throws `UsageError` where nothing is left in the process that could settle it, which would end the process without a word. */
async function settled<T>(file: string, loading: Promise<T>): Promise<T> {
  const { promise: never, reject } = Promise.withResolvers<never>()
  const onNothingLeft = () =>
    reject(
      new UsageError(
        `${file} cannot be loaded: it, or a file that it imports, has a top-level await that never settles.`,
      ),
    )
  process.once('beforeExit', onNothingLeft)
  try {
    return await Promise.race([loading, never])
  } finally {
    process.off('beforeExit', onNothingLeft)
  }
}

/** What to do about a Node that does not take the types out of TypeScript, or null. */
export function typeScriptProblem(file: string, support: string | false | undefined): string | null {
  if (!typeScript.includes(extname(file)) || typeof support === 'string') return null
  return (
    `${file}: this Node (${process.version}) does not run TypeScript. Node does from 22.18 on, where --no-strip-types is not set ` +
    '(look in NODE_OPTIONS); or compile the file and name the JavaScript.'
  )
}

/** What an error of the user's code says, and where in the file it came about. */
export function errorInFile(file: string, error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const url = pathToFileURL(resolve(file)).href
  const line = error.stack?.split('\n').find((frame) => frame.includes(`${url}:`))
  const place =
    line === undefined ? '' : ` (${file}${/:\d+:\d+/.exec(line.slice(line.indexOf(url) + url.length))?.[0]})`
  return `${error.name}: ${error.message}${place}`
}

function pathProblem(file: string, path: string, alsoNames: readonly string[]): string | null {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) {
    const near = suggest(basename(file), [...filesIn(dirname(path)), ...alsoNames])
    return `${file}: there is no such file; looked for ${path}${near}.`
  }
  if (found.isDirectory()) return `${file} is a folder: name the file in it.`
  const allowed = [...typeScript, ...javaScript]
  if (allowed.includes(extname(path))) return null
  return `${file} is neither TypeScript nor JavaScript by its name; allowed: ${allowed.join(', ')}.`
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => [...typeScript, ...javaScript].includes(extname(name)))
  } catch {
    // A folder that is not there, or may not be read, has nothing to suggest.
    return []
  }
}

function loadFailure(file: string, path: string, error: unknown): string {
  if (error instanceof SyntaxError) {
    const place = syntaxPlace(file, path, error)
    return `${place}: ${error.message}${commonJsHint(place.replace(/:\d+$/, ''), error.message)}`
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (error instanceof Error && code === 'ERR_MODULE_NOT_FOUND') return `${file} cannot be loaded: ${error.message}.`
  return `${file} threw while it was loaded: ${errorInFile(file, error)}`
}

/** Node puts the place of a wrong type or a missing export above the stack. Of wrong JavaScript it tells the place only at the end of a process. */
function syntaxPlace(file: string, path: string, error: SyntaxError): string {
  const told = placeIn(error.stack)
  if (told !== null) return told
  const { stderr } = spawnSync(process.execPath, ['--check', path], { encoding: 'utf8' })
  return placeIn(stderr) ?? `${file}, or a file that it imports`
}

function placeIn(text: string | undefined): string | null {
  return /^(?:file:\/\/)?(\S.*:\d+)\n/.exec(text ?? '')?.[1] ?? null
}
