import { createRequire } from 'node:module'
import type { Document, LineCounter } from 'yaml'
import type { z } from 'zod'
import { ConfigurationError } from '../runtime/errors.ts'

/** Loaded with the first file that is read: most commands and runs have none. */
const yaml = () => createRequire(import.meta.url)('yaml') as typeof import('yaml')

/** A file that was read: what it says, and the document that keeps its comments when it is changed. */
export interface ReadYaml<T> {
  readonly document: Document
  readonly data: T
  /** Where a value stands, or what it is missing in: `line 7`. */
  readonly lineOf: (path: readonly PropertyKey[]) => string
}

/**
 * Reads the text of a YAML file and holds it to its schema. Throws `ConfigurationError` with every problem and its line, at most ten.
 * @param what the file is, as in "list of symbols"
 */
export function parseYaml<T>(
  name: string,
  what: string,
  text: string,
  maxBytes: number,
  schema: z.ZodType<T>,
): ReadYaml<T> {
  if (Buffer.byteLength(text) > maxBytes) {
    throw new ConfigurationError(`${name} is larger than ${maxBytes} bytes, and no ${what}.`)
  }
  const { LineCounter, parseDocument } = yaml()
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false })
  const broken = document.errors[0]
  if (broken !== undefined) {
    throw new ConfigurationError(`${name}, line ${lines.linePos(broken.pos[0]).line}: no YAML (${broken.message}).`)
  }
  const parsed = schema.safeParse(contentOf(name, document))
  const lineOf = (path: readonly PropertyKey[]) => lineAt(document, lines, path)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${lineOf(issue.path)}: ${wordsOf(issue)}`)
    throw yamlProblems(name, problems)
  }
  return { document, data: parsed.data, lineOf }
}

/** What the document says; aliases are resolved, but not to more than a text of this size may mean. */
function contentOf(name: string, document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw new ConfigurationError(`${name}: ${error instanceof Error ? error.message : String(error)}.`, {
      cause: error,
    })
  }
}

/** All that is wrong with a file, at most ten of it. */
export function yamlProblems(name: string, problems: readonly string[]): ConfigurationError {
  const shown = problems.slice(0, 10).map((problem) => `${name}, ${problem}`)
  const more = problems.length > 10 ? `; and ${problems.length - 10} more` : ''
  return new ConfigurationError(`${shown.join('; ')}${more}.`)
}

function wordsOf(issue: z.core.$ZodIssue): string {
  const path = issue.path.filter((key) => typeof key === 'string').join('.')
  const place = path === '' ? 'the file' : path
  if (issue.code === 'unrecognized_keys') return `${place} has ${issue.keys.join(', ')}, which nothing reads`
  if (issue.code === 'invalid_key') return `${place} ${issue.issues[0]?.message ?? 'has a name that is not allowed'}`
  return `${place} ${/^(is|has) /.test(issue.message) ? issue.message : `(${issue.message})`}`
}

/** The line of a value, or of what it is missing in. */
function lineAt(document: Document, lines: LineCounter, path: readonly PropertyKey[]): string {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
    const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : null
    if (Array.isArray(range)) return `line ${lines.linePos(range[0] as number).line}`
  }
  return 'line 1'
}
