import type { z } from 'zod'
import type { $ZodCheck, $ZodChecks, $ZodType, $ZodTypes } from 'zod/v4/core'
import { fixed8Schema } from '../exact/fixed8Schema.ts'

/** A value that stands in the frame as it stands in the schema. */
export interface LiteralPlan {
  readonly kind: 'literal'
  readonly json: string
}

/** A value that is read into the slot of the same number. */
export interface LeafPlan {
  readonly kind: 'int' | 'boolean' | 'fixed8' | 'string'
  readonly slot: number
  /** Bounds of an int, both inclusive. */
  readonly min: number
  readonly max: number
  /** What every new string has to pass; null where any string will do. */
  readonly check: z.ZodType | null
}

export interface ObjectPlan {
  readonly kind: 'object'
  readonly fields: ReadonlyMap<string, FieldPlan>
}

export interface FieldPlan {
  readonly name: string
  readonly isOptional: boolean
  /** Null for a field that must be absent. */
  readonly value: ObjectPlan | LiteralPlan | LeafPlan | null
}

export interface SchemaPlan {
  readonly root: ObjectPlan
  readonly leaves: readonly LeafPlan[]
}

/** A feature of zod that the byte reader does not model. Internal: a schema with it is left to the interpreter. */
class Unsupported {
  readonly feature: string
  constructor(feature: string) {
    this.feature = feature
  }
}

/**
 * What a byte reader has to know of a zod schema, or a sentence that says which part of it no byte reader can follow.
 * Follows objects, strings, ints, booleans, single literals, `fixed8Schema`, optional fields and forbidden ones (`z.never().optional()`).
 */
export function planOf(schema: z.ZodType): SchemaPlan | string {
  const leaves: LeafPlan[] = []
  try {
    const root = planValue(schema, 'the schema', leaves)
    return root?.kind === 'object' ? { root, leaves } : 'the schema is not an object'
  } catch (error) {
    if (error instanceof Unsupported) return error.feature
    throw error
  }
}

function planValue(schema: $ZodType, path: string, leaves: LeafPlan[]): FieldPlan['value'] {
  const addLeaf = (kind: LeafPlan['kind'], rest: Partial<LeafPlan> = {}): LeafPlan => {
    const leaf = { kind, slot: leaves.length, min: 0, max: 0, check: null, ...rest }
    leaves.push(leaf)
    return leaf
  }
  if (schema === fixed8Schema) return addLeaf('fixed8')
  const def = (schema as $ZodTypes)._zod.def
  const checks = def.checks ?? []
  if (def.type === 'string') {
    const isPlain = checks.length === 0 && !('check' in def) && !def.coerce
    return addLeaf('string', isPlain ? {} : { check: schema as z.ZodType })
  }
  if (def.type === 'number') {
    if (!('format' in def) || def.format !== 'safeint' || def.coerce) throw new Unsupported(`${path} is not a safe int`)
    return addLeaf('int', intBounds(checks, path))
  }
  if (checks.length > 0) throw new Unsupported(`${path} has checks on a ${def.type}`)
  switch (def.type) {
    case 'boolean':
      if (def.coerce) break
      return addLeaf('boolean')
    case 'literal':
      if (def.values.length !== 1 || typeof def.values[0] === 'bigint' || def.values[0] === undefined) break
      return { kind: 'literal', json: JSON.stringify(def.values[0]) }
    case 'never':
      return null
    case 'object':
      if (def.catchall !== undefined) break
      return planObject(def.shape, path, leaves)
  }
  throw new Unsupported(`${path} is a ${def.type} that cannot be read in place`)
}

function planObject(shape: Readonly<Record<string, $ZodType>>, path: string, leaves: LeafPlan[]): ObjectPlan {
  const fields = new Map<string, FieldPlan>()
  for (const [name, schema] of Object.entries(shape)) {
    const fieldPath = `${path}.${name}`
    if (!/^[\w.-]+$/.test(name)) throw new Unsupported(`${fieldPath} has an unusual name`)
    const def = (schema as $ZodTypes)._zod.def
    const isOptional = def.type === 'optional'
    const value = planValue(isOptional ? def.innerType : schema, fieldPath, leaves)
    if (isOptional && (value?.kind === 'object' || value?.kind === 'literal')) {
      throw new Unsupported(`${fieldPath} is an optional ${value.kind}`)
    }
    if (!isOptional && value === null) throw new Unsupported(`${fieldPath} can never be there`)
    fields.set(name, { name, isOptional, value })
  }
  return { kind: 'object', fields }
}

function intBounds(checks: readonly $ZodCheck[], path: string): { min: number; max: number } {
  let min: number = Number.MIN_SAFE_INTEGER
  let max: number = Number.MAX_SAFE_INTEGER
  for (const check of checks as readonly $ZodChecks[]) {
    const def = check._zod.def
    if ((def.check !== 'greater_than' && def.check !== 'less_than') || typeof def.value !== 'number') {
      throw new Unsupported(`${path} has the check ${def.check}`)
    }
    if (!Number.isSafeInteger(def.value)) throw new Unsupported(`${path} has a bound that is not a safe int`)
    if (def.check === 'greater_than') min = Math.max(min, def.inclusive ? def.value : def.value + 1)
    else max = Math.min(max, def.inclusive ? def.value : def.value - 1)
  }
  return { min, max }
}
