import type { $ZodError, $ZodIssue, $ZodType, $ZodTypes } from 'zod/v4/core'
import { boundedDetail } from './boundedDetail.ts'
import { innerSchemas } from './innerSchemas.ts'

/**
 * Tells where a value does not fit a schema and why: the first thing that zod found, in zod's words, in at most 240 characters. Names of fields are those of the
 * schema; what the value named otherwise, such as the keys of a record, is shown as `*`, so that nothing of the value gets into the text.
 */
export function misfitTeller(schema: $ZodType): (error: $ZodError) => string {
  const names = new Set<PropertyKey>()
  for (const inner of innerSchemas(schema)) {
    const def = (inner as $ZodTypes)._zod.def
    if (def.type === 'object') for (const name of Object.keys(def.shape)) names.add(name)
  }
  return (error) => {
    const issue = error.issues[0]
    if (issue === undefined) return 'does not fit its schema'
    const path = issue.path.map((key) => (typeof key === 'number' || names.has(key) ? String(key) : '*')).join('.')
    return boundedDetail(`${path === '' ? 'the value' : path}: ${wordsOf(issue)}`)
  }
}

function wordsOf(issue: $ZodIssue): string {
  // zod would name the keys.
  if (issue.code !== 'unrecognized_keys') return issue.message
  return issue.keys.length === 1 ? 'Unrecognized key' : `${issue.keys.length} unrecognized keys`
}
