import type { $ZodType, $ZodTypes } from 'zod/v4/core'

/** The schema and all that it is made of, each once. */
export function innerSchemas(schema: $ZodType): ReadonlySet<$ZodType> {
  const found = new Set<$ZodType>()
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit)
    if (!isSchema(value) || found.has(value)) return
    found.add(value)
    const def = (value as $ZodTypes)._zod.def
    for (const part of Object.values(def)) visit(part)
    if (def.type === 'lazy') visit(def.getter())
    if (def.type === 'object') Object.values(def.shape).forEach(visit)
  }
  visit(schema)
  return found
}

function isSchema(value: unknown): value is $ZodType {
  return typeof value === 'object' && value !== null && '_zod' in value
}
