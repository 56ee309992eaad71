import {
  type AvroType,
  type EnumType,
  type FixedType,
  type LogicalType,
  labelOf,
  type PrimitiveType,
  type RecordField,
  type RecordType,
} from './avroType.ts'

const primitives: ReadonlySet<string> = new Set([
  'null',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'bytes',
  'string',
])
/** Deeper schemas are no schemas of anyone. */
const maxNesting = 64
/** A schema that a registry hands out must not cost more than this. */
const maxTypes = 10_000
const maxFixedBytes = 1024 * 1024
/** More digits than any database takes. */
const maxPrecision = 1_000

/** A schema that is no schema of Avro, and why. */
export class SchemaError extends Error {}

/** Says in which part of a schema it was. */
export function within<T>(part: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw error instanceof SchemaError ? new SchemaError(`${part}: ${error.message}`) : error
  }
}

type Attributes = Readonly<Record<string, unknown>>

/**
 * The type that a schema in JSON describes.
 * @param text JSON, or the bare name of a primitive type
 * @param references texts of schemas that it refers to by name, each after those that it refers to itself
 * @throws SchemaError where it is none
 */
export function parseSchema(text: string, references: readonly string[] = []): AvroType {
  const parser = new SchemaParser()
  for (const reference of references) parser.parse(jsonOf(reference), '', 0)
  return parser.parse(jsonOf(text), '', 0)
}

function jsonOf(text: string): unknown {
  if (primitives.has(text.trim())) return text.trim()
  try {
    return JSON.parse(text)
  } catch {
    throw new SchemaError('the schema is not JSON')
  }
}

class SchemaParser {
  readonly #named = new Map<string, AvroType>()
  #count = 0

  parse(schema: unknown, namespace: string, depth: number): AvroType {
    this.#count += 1
    if (depth > maxNesting) throw new SchemaError(`the schema is nested deeper than ${maxNesting} levels`)
    if (this.#count > maxTypes) throw new SchemaError(`the schema has more than ${maxTypes} types`)
    if (typeof schema === 'string') return this.#byName(schema, namespace)
    if (Array.isArray(schema)) return this.#union(schema, namespace, depth)
    if (typeof schema !== 'object' || schema === null) throw new SchemaError(`a type is ${JSON.stringify(schema)}`)
    return this.#complex(schema as Attributes, namespace, depth)
  }

  #byName(name: string, namespace: string): AvroType {
    if (primitives.has(name)) return { kind: name as PrimitiveType['kind'], logical: null }
    const found = this.#named.get(fullName(name, namespace)) ?? this.#named.get(name)
    if (found === undefined) throw new SchemaError(`no type ${show(name)} stands before its use`)
    return found
  }

  #union(schemas: readonly unknown[], namespace: string, depth: number): AvroType {
    if (schemas.length === 0) throw new SchemaError('a union without branches')
    const branches = schemas.map((schema) => this.parse(schema, namespace, depth + 1))
    const labels = new Set<string>()
    for (const branch of branches) {
      if (branch.kind === 'union') throw new SchemaError('a union that is a branch of a union')
      const label = labelOf(branch)
      if (labels.has(label)) throw new SchemaError(`a union with two branches ${label}`)
      labels.add(label)
    }
    return { kind: 'union', branches }
  }

  #complex(schema: Attributes, namespace: string, depth: number): AvroType {
    const { type } = schema
    switch (type) {
      case 'record':
      case 'error':
        return this.#record(schema, namespace, depth)
      case 'enum':
        return this.#enum(schema, namespace)
      case 'fixed':
        return this.#fixed(schema, namespace)
      case 'array':
        return { kind: 'array', items: this.parse(schema.items, namespace, depth + 1) }
      case 'map':
        return { kind: 'map', values: this.parse(schema.values, namespace, depth + 1) }
    }
    if (typeof type === 'string' && primitives.has(type)) {
      const kind = type as PrimitiveType['kind']
      return { kind, logical: logicalOf(schema, kind, null) }
    }
    return this.parse(type, namespace, depth + 1)
  }

  #record(schema: Attributes, outer: string, depth: number): RecordType {
    const { name, namespace, aliases } = named(schema, outer)
    const record: RecordType = { kind: 'record', name, aliases, fields: [] }
    this.#add(record)
    if (!Array.isArray(schema.fields)) throw new SchemaError(`record ${name} has no list of fields`)
    const names = new Set<string>()
    for (const field of schema.fields as unknown[]) {
      const parsed = this.#field(field, name, namespace, depth)
      if (names.has(parsed.name)) throw new SchemaError(`record ${name} has two fields ${parsed.name}`)
      names.add(parsed.name)
      record.fields.push(parsed)
    }
    return record
  }

  #field(field: unknown, record: string, namespace: string, depth: number): RecordField {
    if (typeof field !== 'object' || field === null)
      throw new SchemaError(`record ${record} has a field without a name`)
    const { name, aliases, type, default: fallback } = field as Attributes
    return {
      name: fieldName(name),
      aliases: namesIn(aliases).map(checkedName),
      type: this.parse(type, namespace, depth + 1),
      fallback,
    }
  }

  #enum(schema: Attributes, outer: string): EnumType {
    const { name, aliases } = named(schema, outer)
    const symbols = namesIn(schema.symbols).map(checkedName)
    if (symbols.length === 0 || new Set(symbols).size < symbols.length) {
      throw new SchemaError(`enum ${name} has no symbols, or one twice`)
    }
    const fallback = schema.default === undefined ? null : String(schema.default)
    if (fallback !== null && !symbols.includes(fallback)) {
      throw new SchemaError(`enum ${name} has the default ${show(fallback)}, which is none of its symbols`)
    }
    return this.#add({ kind: 'enum', name, aliases, symbols, fallback })
  }

  #fixed(schema: Attributes, outer: string): FixedType {
    const { name, aliases } = named(schema, outer)
    const size = schema.size as number
    if (!(Number.isInteger(size) && size >= 0 && size <= maxFixedBytes)) {
      throw new SchemaError(`fixed ${name} has size ${show(size)}`)
    }
    return this.#add({ kind: 'fixed', name, aliases, size, logical: logicalOf(schema, 'fixed', size) })
  }

  #add<T extends RecordType | EnumType | FixedType>(type: T): T {
    if (this.#named.has(type.name)) throw new SchemaError(`two types are called ${type.name}`)
    this.#named.set(type.name, type)
    return type
  }
}

function named(schema: Attributes, outer: string): { name: string; namespace: string; aliases: readonly string[] } {
  const own = typeof schema.namespace === 'string' ? schema.namespace : outer
  const given = schema.name
  if (typeof given !== 'string') throw new SchemaError('a record, enum or fixed has no name')
  const name = fullName(given, own)
  for (const part of name.split('.')) checkedName(part)
  const namespace = name.slice(0, Math.max(name.lastIndexOf('.'), 0))
  return { name, namespace, aliases: namesIn(schema.aliases).map((alias) => fullName(alias, namespace)) }
}

function fullName(name: string, namespace: string): string {
  return namespace === '' || name.includes('.') ? name : `${namespace}.${name}`
}

function namesIn(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.map(String) : []
}

function fieldName(name: unknown): string {
  // On an object it would not be a field.
  if (name === '__proto__') throw new SchemaError('a field called __proto__')
  return checkedName(name)
}

function checkedName(name: unknown): string {
  if (typeof name === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return name
  throw new SchemaError(`${show(name)} is no name`)
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'missing').slice(0, 80)
}

/** On what each logical type may stand. What is not known here, or stands elsewhere, is read as what it stands on: so the specification wants it. */
const logicalBases: Readonly<Record<Exclude<LogicalType['name'], 'decimal'>, readonly string[]>> = {
  uuid: ['string', 'fixed'],
  date: ['int'],
  'time-millis': ['int'],
  'time-micros': ['long'],
  'timestamp-millis': ['long'],
  'timestamp-micros': ['long'],
  'timestamp-nanos': ['long'],
  'local-timestamp-millis': ['long'],
  'local-timestamp-micros': ['long'],
  'local-timestamp-nanos': ['long'],
  duration: ['fixed'],
}

function logicalOf(schema: Attributes, kind: string, size: number | null): LogicalType | null {
  const { logicalType: name, precision, scale = 0 } = schema
  if (name === 'decimal') {
    const isSound =
      (kind === 'bytes' || kind === 'fixed') &&
      Number.isInteger(precision) &&
      Number.isInteger(scale) &&
      (precision as number) >= 1 &&
      (precision as number) <= maxPrecision &&
      (scale as number) >= 0 &&
      (scale as number) <= (precision as number)
    return isSound ? { name, precision: precision as number, scale: scale as number } : null
  }
  if (typeof name !== 'string' || !Object.hasOwn(logicalBases, name)) return null
  const known = name as keyof typeof logicalBases
  if (!logicalBases[known].includes(kind)) return null
  if ((known === 'uuid' && size !== null && size !== 16) || (known === 'duration' && size !== 12)) return null
  return { name: known } as LogicalType
}
