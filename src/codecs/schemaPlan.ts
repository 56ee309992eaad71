import type { z } from 'zod'
import type { $ZodCheck, $ZodChecks, $ZodType, $ZodTypes } from 'zod/v4/core'
import { fixed8Schema } from '../exact/fixed8Schema.ts'
import { maxJsonDepth } from './jsonText.ts'

/** A value that stands in the frame as it stands in the schema. */
export interface LiteralPlan {
  readonly kind: 'literal'
  readonly json: string
}

/** A value that is read into the slot of the same number. */
export interface LeafPlan {
  readonly kind: 'int' | 'number' | 'boolean' | 'fixed8' | 'string'
  readonly slot: number
  /** Whether `null` may stand in its place. */
  readonly isNullable: boolean
  /** Bounds of an int or a number, both inclusive and finite. */
  readonly min: number
  readonly max: number
  /** What every new string has to pass; null where any string will do. */
  readonly check: z.ZodType | null
}

export interface ObjectPlan {
  readonly kind: 'object'
  readonly fields: ReadonlyMap<string, FieldPlan>
  /** Whether fields that the schema does not name are refused, and not passed over. */
  readonly isStrict: boolean
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
 * Follows objects (also strict ones), strings, numbers, ints, booleans, literals, enums of strings and `fixed8Schema`; optional and nullable fields of
 * these, save objects and single literals; and forbidden fields (`z.never().optional()`).
 */
export function planOf(schema: z.ZodType): SchemaPlan | string {
  const planner = new Planner()
  try {
    const root = planner.planValue(schema, 'the schema', false)
    return root?.kind === 'object' ? { root, leaves: planner.leaves } : 'the schema is not an object'
  } catch (error) {
    if (error instanceof Unsupported) return error.feature
    throw error
  }
}

class Planner {
  readonly leaves: LeafPlan[] = []
  private depth = 0

  planValue(schema: $ZodType, path: string, isNullable: boolean): FieldPlan['value'] {
    if (schema === fixed8Schema) return this.addLeaf('fixed8', isNullable)
    const def = (schema as $ZodTypes)._zod.def
    const checks = def.checks ?? []
    if (def.type === 'string') {
      const isPlain = checks.length === 0 && !('check' in def) && !def.coerce
      return this.addLeaf('string', isNullable, isPlain ? {} : { check: schema as z.ZodType })
    }
    if (def.type === 'number') {
      if (def.coerce) throw new Unsupported(`${path} is coerced`)
      const { kind, ...bounds } = numberRange(
        'format' in def ? [schema as unknown as $ZodCheck, ...checks] : checks,
        path,
      )
      return this.addLeaf(kind, isNullable, bounds)
    }
    if (checks.length > 0) throw new Unsupported(`${path} has checks on a ${def.type}`)
    switch (def.type) {
      case 'boolean':
        if (def.coerce) break
        return this.addLeaf('boolean', isNullable)
      case 'enum':
        if (!Object.values(def.entries).every((value) => typeof value === 'string')) break
        return this.addLeaf('string', isNullable, { check: schema as z.ZodType })
      case 'literal':
        if (def.values.length > 1 && def.values.every((value) => typeof value === 'string')) {
          return this.addLeaf('string', isNullable, { check: schema as z.ZodType })
        }
        if (def.values.length !== 1 || !isJsonLiteral(def.values[0]) || isNullable) break
        return { kind: 'literal', json: JSON.stringify(def.values[0]) }
      case 'never':
        if (isNullable) break
        return null
      case 'object':
        if (isNullable || (def.catchall !== undefined && !isNever(def.catchall))) break
        return this.planObject(def.shape, path, def.catchall !== undefined)
    }
    throw new Unsupported(`${path} is a ${isNullable ? 'nullable ' : ''}${def.type} that cannot be read in place`)
  }

  private planObject(shape: Readonly<Record<string, $ZodType>>, path: string, isStrict: boolean): ObjectPlan {
    // One that has itself in it has no end.
    if (this.depth === maxJsonDepth) throw new Unsupported('the schema is nested too deep')
    this.depth += 1
    const fields = new Map<string, FieldPlan>()
    for (const [name, schema] of Object.entries(shape)) {
      const fieldPath = `${path}.${name}`
      // zod sees what an object inherits, such as `constructor`, where the field is absent.
      if (!/^[\w.-]+$/.test(name) || name in Object.prototype) throw new Unsupported(`${fieldPath} has an unusual name`)
      const { inner, isOptional, isNullable } = unwrap(schema, fieldPath)
      // Before it is followed: it may have itself in it.
      if (isOptional && (inner as $ZodTypes)._zod.def.type === 'object')
        throw new Unsupported(`${fieldPath} is an optional object`)
      const value = this.planValue(inner, fieldPath, isNullable)
      if (isOptional && value?.kind === 'literal') throw new Unsupported(`${fieldPath} is an optional literal`)
      if (!isOptional && value === null) throw new Unsupported(`${fieldPath} can never be there`)
      fields.set(name, { name, isOptional, value })
    }
    this.depth -= 1
    return { kind: 'object', fields, isStrict }
  }

  private addLeaf(kind: LeafPlan['kind'], isNullable: boolean, rest: Partial<LeafPlan> = {}): LeafPlan {
    const leaf = { kind, slot: this.leaves.length, isNullable, min: 0, max: 0, check: null, ...rest }
    this.leaves.push(leaf)
    return leaf
  }
}

function unwrap(schema: $ZodType, path: string): { inner: $ZodType; isOptional: boolean; isNullable: boolean } {
  let inner = schema
  let isOptional = false
  let isNullable = false
  for (;;) {
    const def = (inner as $ZodTypes)._zod.def
    if (def.type !== 'optional' && def.type !== 'nullable') return { inner, isOptional, isNullable }
    if ((def.checks ?? []).length > 0) throw new Unsupported(`${path} has checks on an ${def.type} value`)
    if (def.type === 'optional') isOptional = true
    else isNullable = true
    inner = def.innerType
  }
}

function isNever(schema: $ZodType): boolean {
  const { type, checks = [] } = (schema as $ZodTypes)._zod.def
  return type === 'never' && checks.length === 0
}

/** Whether the literal has a JSON text that no other value has. */
function isJsonLiteral(value: unknown): boolean {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
}

const intFormats: ReadonlyMap<string, number> = new Map([
  ['safeint', Number.MAX_SAFE_INTEGER],
  ['int32', 2 ** 31 - 1],
  ['uint32', 2 ** 32 - 1],
])

function numberRange(
  checks: readonly $ZodCheck[],
  path: string,
): Pick<LeafPlan, 'min' | 'max'> & { kind: 'int' | 'number' } {
  let kind: 'int' | 'number' = 'number'
  let min: number = -Number.MAX_VALUE
  let max: number = Number.MAX_VALUE
  for (const check of checks as readonly $ZodChecks[]) {
    const def = check._zod.def
    if (def.check === 'number_format') {
      const largest = intFormats.get(def.format)
      if (largest === undefined) throw new Unsupported(`${path} has the format ${def.format}`)
      kind = 'int'
      min = Math.max(min, def.format === 'uint32' ? 0 : def.format === 'int32' ? -largest - 1 : -largest)
      max = Math.min(max, largest)
      continue
    }
    if (def.check !== 'greater_than' && def.check !== 'less_than')
      throw new Unsupported(`${path} has the check ${def.check}`)
    const bound = def.value
    if (typeof bound !== 'number' || !Number.isFinite(bound)) throw new Unsupported(`${path} has an unusual bound`)
    if (def.check === 'greater_than') min = Math.max(min, def.inclusive ? bound : nextUp(bound))
    else max = Math.min(max, def.inclusive ? bound : -nextUp(-bound))
  }
  return { kind, min, max }
}

/** The smallest double above a finite one. */
function nextUp(value: number): number {
  if (value === 0) return Number.MIN_VALUE
  const double = new Float64Array([value])
  const bits = new BigInt64Array(double.buffer)
  bits[0] = (bits[0] as bigint) + (value > 0 ? 1n : -1n)
  return double[0] as number
}
