import type { $ZodType, $ZodTypes } from 'zod/v4/core'

/** A schema that makes itself anew at each level has no end. */
const maxSchemas = 10_000

/** The schema and all that it is made of, each once and the outer ones first; at most 10,000. */
export function innerSchemas(schema: $ZodType): ReadonlySet<$ZodType> {
  const found = new Set<$ZodType>([schema])
  for (const outer of found) {
    for (const part of partsOf((outer as $ZodTypes)._zod.def)) {
      if (isSchema(part) && found.size < maxSchemas) found.add(part)
    }
  }
  return found
}

/** Whether the schema has a transform, which has no way back; a `z.codec` has both. */
export function isOneWay(schema: $ZodType): boolean {
  return [...innerSchemas(schema)].some((inner) => (inner as $ZodTypes)._zod.def.type === 'transform')
}

function partsOf(def: $ZodTypes['_zod']['def']): unknown[] {
  if (def.type === 'object') return [...Object.values(def.shape), def.catchall]
  if (def.type === 'lazy') return [def.getter()]
  return Object.values(def).flat()
}

function isSchema(value: unknown): value is $ZodType {
  return typeof value === 'object' && value !== null && '_zod' in value
}
