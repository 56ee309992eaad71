/** What a type means beyond how it is written, where it is known here. */
export type LogicalType =
  | { readonly name: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly name: 'uuid' }
  | { readonly name: 'date' | 'time-millis' | 'time-micros' }
  | { readonly name: 'timestamp-millis' | 'timestamp-micros' | 'timestamp-nanos' }
  | { readonly name: 'local-timestamp-millis' | 'local-timestamp-micros' | 'local-timestamp-nanos' }
  | { readonly name: 'duration' }

/** A type without a name and without others in it. */
export interface PrimitiveType {
  readonly kind: 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'
  readonly logical: LogicalType | null
}

/** What is common to types that are named, and referred to by that name. */
interface NamedType {
  /** With its namespace. */
  readonly name: string
  /** Other names under which the data of older schemas may come, with their namespaces. */
  readonly aliases: readonly string[]
}

export interface FixedType extends NamedType {
  readonly kind: 'fixed'
  /** bytes */
  readonly size: number
  readonly logical: LogicalType | null
}

export interface EnumType extends NamedType {
  readonly kind: 'enum'
  readonly symbols: readonly string[]
  /** What a symbol becomes that the reader does not have. */
  readonly fallback: string | null
}

export interface RecordField {
  readonly name: string
  readonly aliases: readonly string[]
  readonly type: AvroType
  /** As the schema has it, in JSON; undefined where there is none. */
  readonly fallback: unknown
}

export interface RecordType extends NamedType {
  readonly kind: 'record'
  /** Filled after the type is made, for it may be its own part. */
  readonly fields: RecordField[]
}

export interface ArrayType {
  readonly kind: 'array'
  readonly items: AvroType
}

export interface MapType {
  readonly kind: 'map'
  readonly values: AvroType
}

export interface UnionType {
  readonly kind: 'union'
  readonly branches: readonly AvroType[]
}

/** A type of an Avro schema, its names resolved. Types may be parts of themselves. */
export type AvroType = PrimitiveType | FixedType | EnumType | RecordType | ArrayType | MapType | UnionType

/** What the type is called in messages. */
export function labelOf(type: AvroType): string {
  return 'name' in type ? `${type.kind} ${type.name}` : type.kind
}

/** A name without its namespace. */
export function shortName(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}
