import fc from 'fast-check'

/** A schema of Avro with values of it, as JavaScript has them. */
export interface AvroSample {
  readonly schema: unknown
  readonly value: fc.Arbitrary<unknown>
}

const text = fc.string({ unit: 'grapheme', maxLength: 20 })
/** avsc rounds longs beyond 2^52: it writes -4503599627370497 as -4503599627370496. */
const long = fc.integer({ min: -(2 ** 52), max: 2 ** 52 })
const float = fc.float({ noNaN: true }).filter((value) => !Object.is(value, -0))
const double = fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0))
const bytes = (size: { minLength?: number; maxLength: number }) =>
  fc.uint8Array(size).map((array) => Buffer.from(array))

/** What stands in every schema alone: by a kind of value in JavaScript, so that no union has two of a kind. */
const leaves = {
  boolean: [{ schema: 'boolean', value: fc.boolean() }],
  number: [
    { schema: 'int', value: fc.integer() },
    { schema: 'long', value: long },
    { schema: 'float', value: float },
    { schema: 'double', value: double },
  ],
  string: [{ schema: 'string', value: text }],
  bytes: [{ schema: 'bytes', value: bytes({ maxLength: 20 }) }],
} satisfies Record<string, AvroSample[]>

type Draw = (most: number) => number

/** Draws schemas with names that differ, from a number source that fast-check shrinks. */
class SchemaDrawer {
  #names = 0
  readonly #draw: Draw

  constructor(draw: Draw) {
    this.#draw = draw
  }

  sample(depth: number): AvroSample {
    const kind = this.#draw(depth > 2 ? 4 : 8)
    if (kind <= 3) return this.#pick(Object.values(leaves).flat())
    if (kind === 4) return this.#enum()
    if (kind === 5) return this.#record(depth)
    if (kind === 6) {
      const items = this.sample(depth + 1)
      return { schema: { type: 'array', items: items.schema }, value: fc.array(items.value, { maxLength: 4 }) }
    }
    if (kind === 7) {
      const values = this.sample(depth + 1)
      return {
        schema: { type: 'map', values: values.schema },
        value: fc.dictionary(
          text.filter((key) => key !== '__proto__'),
          values.value,
          { maxKeys: 4, noNullPrototype: true },
        ),
      }
    }
    return this.#union()
  }

  #record(depth: number): AvroSample {
    const fields = Array.from({ length: this.#draw(4) }, (_, i) => ({ name: `f${i}`, of: this.sample(depth + 1) }))
    return {
      schema: { type: 'record', name: this.#name(), fields: fields.map(({ name, of }) => ({ name, type: of.schema })) },
      value: fc.record(Object.fromEntries(fields.map(({ name, of }) => [name, of.value])), { noNullPrototype: true }),
    }
  }

  #enum(): AvroSample {
    if (this.#draw(1) === 0) {
      const size = this.#draw(5)
      return {
        schema: { type: 'fixed', name: this.#name(), size },
        value: bytes({ minLength: size, maxLength: size }),
      }
    }
    const symbols = ['A', 'B', 'C'].slice(0, 1 + this.#draw(2))
    return { schema: { type: 'enum', name: this.#name(), symbols }, value: fc.constantFrom(...symbols) }
  }

  #union(): AvroSample {
    const kinds = Object.values(leaves).filter(() => this.#draw(1) === 1)
    const branches = [{ schema: 'null', value: fc.constant(null) }, ...kinds.map((kind) => this.#pick(kind))]
    if (this.#draw(1) === 1) branches.reverse()
    return { schema: branches.map(({ schema }) => schema), value: fc.oneof(...branches.map(({ value }) => value)) }
  }

  #pick(samples: readonly AvroSample[]): AvroSample {
    return samples[this.#draw(samples.length - 1)] as AvroSample
  }

  #name(): string {
    this.#names += 1
    return `N${this.#names}`
  }
}

function drawing(numbers: readonly number[]): Draw {
  let next = 0
  return (most) => (numbers[next++ % numbers.length] as number) % (most + 1)
}

const numbers = fc.array(fc.nat(2 ** 16), { minLength: 10, maxLength: 60 })

/** A schema, nested up to four levels, and a value of it. */
export const schemaAndValue: fc.Arbitrary<{ schema: unknown; value: unknown }> = numbers
  .map((list) => new SchemaDrawer(drawing(list)).sample(0))
  .chain(({ schema, value }) => value.map((one) => ({ schema, value: one })))

const evolvable = ['int', 'long', 'float', 'double', 'string', 'bytes', 'boolean'] as const
const defaults: Readonly<Record<string, unknown>> = {
  int: 1,
  long: 2,
  float: 0.5,
  double: 0.1,
  string: 'd',
  bytes: 'ÿ',
  boolean: true,
}
const valuesOf: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  int: fc.integer(),
  long,
  float,
  double,
  string: text,
  bytes: text.map((one) => Buffer.from(one)),
  boolean: fc.boolean(),
  E: fc.constantFrom('A', 'B'),
}

interface Field {
  readonly name: string
  readonly kind: string
  readonly isOptional: boolean
  readonly hasDefault: boolean
  readonly isList: boolean
}

const field = fc.record<Field>({
  name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  kind: fc.constantFrom(...evolvable, 'E'),
  isOptional: fc.boolean(),
  hasDefault: fc.boolean(),
  isList: fc.boolean(),
})
const fields = fc.uniqueArray(field, { selector: ({ name }) => name, maxLength: 5 })

/** Two schemas of one record, with fields in other orders, gone, new, promoted or of other types, and a value of the first. */
export const evolution: fc.Arbitrary<{ writer: unknown; reader: unknown; value: unknown }> = fc
  .tuple(fields, fields, fc.boolean())
  .chain(([before, after, keepsSymbols]) =>
    fc
      .record(Object.fromEntries(before.map((one) => [one.name, fieldValue(one)])), { noNullPrototype: true })
      .map((value) => ({
        writer: recordOf(before, ['A', 'B']),
        reader: recordOf(after, keepsSymbols ? ['C', 'B', 'A'] : ['B', 'C']),
        value,
      })),
  )

function fieldValue({ kind, isOptional, isList }: Field): fc.Arbitrary<unknown> {
  const value = valuesOf[kind] as fc.Arbitrary<unknown>
  const whole = isList ? fc.array(value, { maxLength: 3 }) : value
  return isOptional ? fc.option(whole) : whole
}

function recordOf(list: readonly Field[], symbols: readonly string[]) {
  let isDefined = false
  const typeOf = ({ kind, isOptional, isList }: Field) => {
    const name = kind !== 'E' || isDefined ? kind : { type: 'enum', name: 'E', symbols }
    isDefined ||= kind === 'E'
    const type = isList ? { type: 'array', items: name } : name
    return isOptional ? ['null', type] : type
  }
  return {
    type: 'record',
    name: 'R',
    fields: list.map((one) => ({
      name: one.name,
      type: typeOf(one),
      ...(one.hasDefault ? { default: defaultOf(one, symbols) } : {}),
    })),
  }
}

function defaultOf({ kind, isOptional, isList }: Field, symbols: readonly string[]): unknown {
  if (isOptional) return null
  const value = kind === 'E' ? symbols[0] : defaults[kind]
  return isList ? [value, value] : value
}
