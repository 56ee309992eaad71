import { maxDepth } from './avroCursor.ts'
import { type AvroType, labelOf } from './avroType.ts'
import type { AvroValue } from './avroValue.ts'
import { bytesValue, type LongValues, longValue } from './logicalValues.ts'
import { SchemaError, within } from './parseSchema.ts'

const integerKinds = { int: 2 ** 31, long: 2 ** 53 }

/**
 * The value that a default in a schema's JSON stands for, made anew at each call.
 * @throws SchemaError where it is none of the type
 */
export function defaultValue(type: AvroType, json: unknown, longs: LongValues, depth = 0): AvroValue {
  const refuse = () => new SchemaError(`a default that is no ${labelOf(type)}: ${JSON.stringify(json)?.slice(0, 80)}`)
  if (depth > maxDepth) throw new SchemaError(`a default that is nested deeper than ${maxDepth} levels`)
  switch (type.kind) {
    case 'null':
      if (json !== null) throw refuse()
      return null
    case 'boolean':
      if (typeof json !== 'boolean') throw refuse()
      return json
    case 'int':
    case 'long': {
      const limit = integerKinds[type.kind]
      if (!Number.isInteger(json) || (json as number) >= limit || (json as number) < -limit) throw refuse()
      return type.kind === 'int' ? (json as number) : longValue(type.logical, longs)(json as number)
    }
    case 'float':
    case 'double':
      if (typeof json !== 'number') throw refuse()
      return json
    case 'string':
      if (typeof json !== 'string') throw refuse()
      return json
    case 'bytes':
    case 'fixed': {
      // Each character is a byte.
      if (typeof json !== 'string' || !isLatin1(json)) throw refuse()
      if (type.kind === 'fixed' && json.length !== type.size) throw refuse()
      const bytes = Buffer.from(json, 'latin1')
      return bytesValue(type.logical)?.(bytes) ?? bytes
    }
    case 'enum':
      if (typeof json !== 'string' || !type.symbols.includes(json)) throw refuse()
      return json
    case 'array':
      if (!Array.isArray(json)) throw refuse()
      return json.map((item) => defaultValue(type.items, item, longs, depth + 1))
    case 'map':
      if (!isObject(json)) throw refuse()
      return Object.fromEntries(
        Object.entries(json).map(([key, value]) => [key, defaultValue(type.values, value, longs, depth + 1)]),
      )
    case 'record': {
      if (!isObject(json)) throw refuse()
      return Object.fromEntries(
        type.fields.map((field) => {
          const given = Object.hasOwn(json, field.name) ? json[field.name] : field.fallback
          if (given === undefined) throw refuse()
          return [field.name, defaultValue(field.type, given, longs, depth + 1)]
        }),
      )
    }
    case 'union':
      for (const branch of type.branches) {
        try {
          return defaultValue(branch, json, longs, depth + 1)
        } catch (error) {
          if (!(error instanceof SchemaError)) throw error
        }
      }
      throw refuse()
  }
}

function isLatin1(text: string): boolean {
  return Buffer.from(text, 'latin1').toString('latin1') === text
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/**
 * Looks at every default of a schema, those that no value of the schema's own needs included.
 * @throws SchemaError where one is no value of its field's type
 */
export function checkDefaults(type: AvroType, longs: LongValues): void {
  const found = new Set<AvroType>([type])
  for (const outer of found) {
    for (const part of partsOf(outer)) found.add(part)
    if (outer.kind !== 'record') continue
    for (const { name, type: of, fallback } of outer.fields) {
      if (fallback !== undefined) within(`${labelOf(outer)}: ${name}`, () => defaultValue(of, fallback, longs))
    }
  }
}

function partsOf(type: AvroType): readonly AvroType[] {
  if (type.kind === 'record') return type.fields.map((field) => field.type)
  if (type.kind === 'union') return type.branches
  if (type.kind === 'array') return [type.items]
  return type.kind === 'map' ? [type.values] : []
}
