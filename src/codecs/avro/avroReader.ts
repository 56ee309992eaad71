import { type AvroCursor, AvroMisfit } from './avroCursor.ts'
import {
  type ArrayType,
  type AvroType,
  type EnumType,
  type FixedType,
  labelOf,
  type MapType,
  type PrimitiveType,
  type RecordField,
  type RecordType,
  shortName,
  type UnionType,
} from './avroType.ts'
import type { AvroValue } from './avroValue.ts'
import { defaultValue } from './defaultValue.ts'
import { bytesValue, exactNumber, isSameMeaning, type LongValues, longValue } from './logicalValues.ts'
import { SchemaError, within } from './parseSchema.ts'
import { Skips } from './skipValue.ts'

/** Reads one value at the cursor. Throws `AvroMisfit`. */
export type Read = (cursor: AvroCursor) => AvroValue

/** How values are read that one schema wrote and another wants. */
export interface Resolution {
  readonly read: Read
  /** What some values of the writer, though not all, do not have in the reader: branches of a union, symbols of an enum. Reading one of these is a misfit. */
  readonly gaps: readonly string[]
}

/**
 * Resolves the schema that wrote the bytes against the one that the reader wants, by the rules of Avro's specification, and stricter where those would let a wrong value
 * through: a decimal keeps its scale, and a timestamp its unit.
 * @throws SchemaError where no value of the writer's can be read
 */
export function resolve(writer: AvroType, reader: AvroType, longs: LongValues): Resolution {
  const resolver = new Resolver(longs)
  return { read: resolver.resolve(writer, reader), gaps: resolver.gaps }
}

/** One record that the reader wants, being worked out or done; a record may be its own part. */
interface RecordPlan {
  read: Read
  /** Why it cannot be read, found after its parts took it in. */
  problem: SchemaError | null
}

/** One field of the writer's: where it goes, and null where the reader does not want it. */
interface FieldStep {
  readonly name: string | null
  readonly read: (cursor: AvroCursor) => unknown
}

const promotions: Readonly<Record<PrimitiveType['kind'], readonly string[]>> = {
  null: [],
  boolean: [],
  int: ['long', 'float', 'double'],
  long: ['float', 'double'],
  float: ['double'],
  double: [],
  string: ['bytes'],
  bytes: ['string'],
}

class Resolver {
  readonly gaps: string[] = []
  readonly #longs: LongValues
  readonly #skips = new Skips()
  readonly #records = new Map<RecordType, Map<RecordType, RecordPlan>>()

  constructor(longs: LongValues) {
    this.#longs = longs
  }

  resolve(writer: AvroType, reader: AvroType): Read {
    if (writer.kind === 'union') return this.#fromUnion(writer, reader)
    if (reader.kind === 'union') return this.#intoUnion(writer, reader)
    if (writer.kind === 'record' && reader.kind === 'record') return this.#record(writer, reader)
    if (writer.kind === 'enum' && reader.kind === 'enum') return this.#enum(writer, reader)
    if (writer.kind === 'fixed' && reader.kind === 'fixed') return this.#fixed(writer, reader)
    if (writer.kind === 'array' && reader.kind === 'array') return this.#array(writer, reader)
    if (writer.kind === 'map' && reader.kind === 'map') return this.#map(writer, reader)
    if (isPrimitive(writer) && isPrimitive(reader)) return this.#primitive(writer, reader)
    throw mismatch(writer, reader)
  }

  #fromUnion(writer: UnionType, reader: AvroType): Read {
    let readable = 0
    const reads = writer.branches.map((branch): Read => {
      try {
        const read = this.resolve(branch, reader)
        readable += 1
        return read
      } catch (error) {
        if (!(error instanceof SchemaError)) throw error
        this.gaps.push(error.message)
        return unreadable(error.message)
      }
    })
    if (readable === 0) throw new SchemaError(`${this.gaps.at(-1)}, as for every branch of the union`)
    const { length } = reads
    return (cursor) => (reads[cursor.index(length, 'branch')] as Read)(cursor)
  }

  /** The first branch of the same type, otherwise the first that the type can become. */
  #intoUnion(writer: AvroType, reader: UnionType): Read {
    const isSame = (branch: AvroType) =>
      branch.kind === writer.kind && (!('name' in branch) || isNamedLike(writer, branch))
    const candidates = [...reader.branches.filter(isSame), ...reader.branches.filter((branch) => !isSame(branch))]
    let problem: SchemaError | null = null
    for (const branch of candidates) {
      const gaps = this.gaps.length
      try {
        return this.resolve(writer, branch)
      } catch (error) {
        if (!(error instanceof SchemaError)) throw error
        this.gaps.length = gaps
        problem ??= error
      }
    }
    throw problem ?? mismatch(writer, reader)
  }

  #record(writer: RecordType, reader: RecordType): Read {
    if (!isNamedLike(writer, reader)) throw mismatch(writer, reader)
    const plans = this.#records.get(writer) ?? new Map<RecordType, RecordPlan>()
    this.#records.set(writer, plans)
    const known = plans.get(reader)
    if (known?.problem != null) throw known.problem
    if (known !== undefined) return (cursor) => known.read(cursor)
    const plan: RecordPlan = { read: unreadable('a record that is not made yet'), problem: null }
    plans.set(reader, plan)
    try {
      plan.read = this.#makeRecord(writer, reader)
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error
      plan.problem = new SchemaError(`${labelOf(reader)}: ${error.message}`)
      plan.read = unreadable(plan.problem.message)
      throw plan.problem
    }
    return plan.read
  }

  #makeRecord(writer: RecordType, reader: RecordType): Read {
    const targets = new Map<RecordField, RecordField>()
    const missing: { readonly name: string; readonly make: () => AvroValue }[] = []
    for (const field of reader.fields) {
      const source = [field.name, ...field.aliases]
        .map((name) => writer.fields.find((one) => one.name === name))
        .find((one) => one !== undefined && !targets.has(one))
      if (source !== undefined) targets.set(source, field)
      else missing.push({ name: field.name, make: this.#fallbackOf(field) })
    }
    const steps = writer.fields.map((source): FieldStep => {
      const target = targets.get(source)
      if (target === undefined) return { name: null, read: this.#skips.of(source.type) }
      return { name: target.name, read: within(target.name, () => this.resolve(source.type, target.type)) }
    })
    // The fields in the reader's order, whoever has written them.
    const template: Record<string, AvroValue> = Object.fromEntries(reader.fields.map(({ name }) => [name, null]))
    return (cursor) => {
      const start = cursor.at
      cursor.enter()
      const value = { ...template }
      for (const { name, read } of steps) {
        const part = read(cursor)
        if (name !== null) value[name] = part as AvroValue
      }
      for (const { name, make } of missing) value[name] = make()
      cursor.leave()
      cursor.countEmpty(start)
      return value
    }
  }

  #fallbackOf({ name, type, fallback }: RecordField): () => AvroValue {
    if (fallback === undefined) throw new SchemaError(`${name} is not in what was written, and has no default`)
    const first = within(name, () => defaultValue(type, fallback, this.#longs))
    if (typeof first !== 'object' || first === null) return () => first
    // What a pipeline does to one of them must not be seen in the next.
    return () => defaultValue(type, fallback, this.#longs)
  }

  #enum(writer: EnumType, reader: EnumType): Read {
    if (!isNamedLike(writer, reader)) throw mismatch(writer, reader)
    const symbols = writer.symbols.map((symbol) => (reader.symbols.includes(symbol) ? symbol : reader.fallback))
    const { length } = symbols
    const lost = writer.symbols.filter((_, i) => symbols[i] === null)
    if (lost.length > 0) this.gaps.push(`${labelOf(reader)} has no symbol ${lost[0]}, and no default`)
    return (cursor) => {
      const index = cursor.index(length, 'symbol')
      const symbol = symbols[index]
      if (symbol != null) return symbol
      throw new AvroMisfit(`${labelOf(reader)} has no symbol ${writer.symbols[index]}, and no default`, incompatible)
    }
  }

  #fixed(writer: FixedType, reader: FixedType): Read {
    if (!isNamedLike(writer, reader) || writer.size !== reader.size || !isSameMeaning(writer, reader)) {
      throw mismatch(writer, reader)
    }
    const { size } = reader
    const meaning = bytesValue(reader.logical)
    return meaning === null ? (cursor) => cursor.bytes(size) : (cursor) => meaning(cursor.bytes(size))
  }

  #array(writer: ArrayType, reader: ArrayType): Read {
    const item = this.resolve(writer.items, reader.items)
    return (cursor) => {
      cursor.enter()
      const values: AvroValue[] = []
      for (let count = cursor.blockCount(); count > 0; count = cursor.blockCount()) {
        for (let left = count; left > 0; left--) {
          const start = cursor.at
          values.push(item(cursor))
          cursor.countEmpty(start)
        }
      }
      cursor.leave()
      return values
    }
  }

  #map(writer: MapType, reader: MapType): Read {
    const read = this.resolve(writer.values, reader.values)
    return (cursor) => {
      cursor.enter()
      const entries: Record<string, AvroValue> = {}
      for (let count = cursor.blockCount(); count > 0; count = cursor.blockCount()) {
        for (let left = count; left > 0; left--) {
          const key = cursor.text()
          const value = read(cursor)
          if (key !== '__proto__') entries[key] = value
          else Object.defineProperty(entries, key, { value, enumerable: true, writable: true, configurable: true })
        }
      }
      cursor.leave()
      return entries
    }
  }

  #primitive(writer: PrimitiveType, reader: PrimitiveType): Read {
    if (writer.kind !== reader.kind && !promotions[writer.kind].includes(reader.kind)) throw mismatch(writer, reader)
    if (!isSameMeaning(writer, reader)) throw mismatch(writer, reader)
    switch (reader.kind) {
      case 'null':
        return () => null
      case 'boolean':
        return (cursor) => cursor.boolean()
      case 'int':
        return (cursor) => cursor.int()
      case 'long': {
        const meaning = longValue(reader.logical, this.#longs)
        return writer.kind === 'int' ? (cursor) => meaning(cursor.int()) : (cursor) => meaning(cursor.long())
      }
      case 'float':
      case 'double':
        return floating(writer.kind)
      case 'bytes': {
        const meaning = bytesValue(reader.logical)
        const bytesOf = (cursor: AvroCursor) => cursor.bytes(cursor.length())
        return meaning === null ? bytesOf : (cursor) => meaning(bytesOf(cursor))
      }
      case 'string':
        return (cursor) => cursor.text()
    }
  }
}

/** The reason of a record whose schema, or a part of it that the record has, does not fit the reader's. */
export const incompatible = 'incompatible-schema'

function floating(writer: PrimitiveType['kind']): Read {
  switch (writer) {
    case 'int':
      return (cursor) => cursor.int()
    case 'long':
      return (cursor) => exactNumber(cursor.long())
    case 'float':
      return (cursor) => cursor.float()
    default:
      return (cursor) => cursor.double()
  }
}

function unreadable(detail: string): Read {
  return () => {
    throw new AvroMisfit(detail, incompatible)
  }
}

function isPrimitive(type: AvroType): type is PrimitiveType {
  return 'logical' in type && type.kind !== 'fixed'
}

/** The last part of the names decides, or an alias of the reader's. */
function isNamedLike(writer: AvroType, reader: AvroType): boolean {
  if (!('name' in writer && 'name' in reader)) return false
  const name = shortName(writer.name)
  return [reader.name, ...reader.aliases].some((one) => shortName(one) === name)
}

function mismatch(writer: AvroType, reader: AvroType): SchemaError {
  const [was, wanted] = [described(writer), described(reader)]
  return new SchemaError(`${was} was written, where ${wanted} is wanted`)
}

function described(type: AvroType): string {
  const logical = 'logical' in type ? type.logical : null
  if (logical?.name === 'decimal') return `${labelOf(type)} (decimal ${logical.precision}, ${logical.scale})`
  return logical === null ? labelOf(type) : `${labelOf(type)} (${logical.name})`
}
