import fc from 'fast-check'
import { z } from 'zod'
import { fixed8Schema } from '../../src/exact/fixed8Schema.ts'

/** A schema, values that fit it before they become JSON, and whether a byte reader is expected to follow it. */
export interface Sample {
  readonly schema: z.ZodType
  readonly value: fc.Arbitrary<unknown>
  readonly isInPlace: boolean
}

const absent = Symbol('absent')
const names = [
  'a',
  'b',
  'id',
  'at',
  'a.b',
  '1',
  'long_name_of_a_field',
  'constructor',
  'toString',
  '__proto__',
  'é',
  'x y',
]
const usualNames = names.slice(0, 7)
const text = fc.oneof(fc.string({ maxLength: 90 }), fc.string({ unit: 'binary', maxLength: 20 }))
const decimal = fc
  .tuple(fc.integer({ min: -99_999, max: 99_999 }), fc.integer({ min: 0, max: 6 }))
  .map(([units, scale]) => units / 10 ** scale)
const number = fc.oneof(decimal, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger())
const within = (min: number, max: number) => number.map((value) => Math.min(Math.max(value, min), max))

function inPlace(schema: z.ZodType, value: fc.Arbitrary<unknown>): Sample {
  return { schema, value, isInPlace: true }
}

const leaves: readonly Sample[] = [
  inPlace(z.string(), text),
  inPlace(z.string().min(2).max(40), fc.string({ minLength: 2, maxLength: 20 })),
  inPlace(z.string().trim(), text),
  inPlace(
    z.iso.datetime(),
    fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }).map((date) => date.toISOString()),
  ),
  inPlace(z.int(), fc.maxSafeInteger()),
  inPlace(z.number().int().min(-5).lt(1_000), fc.integer({ min: -5, max: 999 })),
  inPlace(z.int32(), fc.integer()),
  inPlace(z.uint32().gt(3), fc.integer({ min: 4, max: 2 ** 32 - 1 })),
  inPlace(z.number(), number),
  inPlace(z.number().gt(0).max(100), within(Number.MIN_VALUE, 100)),
  inPlace(z.number().gt(-0.5).lt(0.1), within(-0.4, 0.09)),
  inPlace(z.boolean(), fc.boolean()),
  inPlace(z.enum(['buy', 'sell']), fc.constantFrom('buy', 'sell')),
  inPlace(z.literal(['x', 'y']), fc.constantFrom('x', 'y')),
  inPlace(fixed8Schema, fc.stringMatching(/^(0|[1-9][0-9]{0,16})(\.[0-9]{1,8})?$/)),
]
const literals: readonly Sample[] = ['order', 3, -0.5, true, null].map((value) =>
  inPlace(z.literal(value), fc.constant(value)),
)
const slow: readonly Sample[] = [
  { schema: z.literal([1, 'x']), value: fc.constantFrom(1, 'x'), isInPlace: false },
  { schema: z.union([z.int(), z.boolean()]), value: fc.oneof(fc.boolean(), fc.nat()), isInPlace: false },
  { schema: z.number().multipleOf(5), value: fc.nat(99).map((value) => 5 * value), isInPlace: false },
  { schema: z.string().default('none'), value: fc.constant('some'), isInPlace: false },
  { schema: z.record(z.string(), z.number()), value: fc.dictionary(fc.string(), number), isInPlace: false },
  { schema: z.literal(Number.POSITIVE_INFINITY), value: fc.constant(null), isInPlace: false },
]

type Wrap = 'none' | 'optional' | 'nullable' | 'nullish' | 'optional-nullable'

function wrapped({ schema, value, isInPlace }: Sample, wrap: Wrap, isLeaf: boolean): Sample {
  const rarely = (other: unknown) =>
    fc.oneof({ weight: 3, arbitrary: value }, { weight: 1, arbitrary: fc.constant(other) })
  switch (wrap) {
    case 'none':
      return { schema, value, isInPlace }
    case 'optional':
      return { schema: schema.optional(), value: rarely(absent), isInPlace: isInPlace && isLeaf }
    case 'nullable':
      return { schema: schema.nullable(), value: rarely(null), isInPlace: isInPlace && isLeaf }
    case 'nullish':
      return { schema: schema.nullish(), value: fc.oneof(rarely(absent), rarely(null)), isInPlace: isInPlace && isLeaf }
    case 'optional-nullable':
      return {
        schema: schema.optional().nullable(),
        value: fc.oneof(rarely(absent), rarely(null)),
        isInPlace: isInPlace && isLeaf,
      }
  }
}

const wrap = fc.constantFrom<Wrap[]>('none', 'none', 'none', 'optional', 'nullable', 'nullish', 'optional-nullable')

function fieldOf(depth: number, isUsual: boolean): fc.Arbitrary<Sample> {
  const leaf = fc.tuple(fc.constantFrom(...leaves), wrap).map(([sample, how]) => wrapped(sample, how, true))
  const literal = fc.constantFrom(...literals)
  const usual = [
    { weight: 8, arbitrary: leaf },
    { weight: 2, arbitrary: literal },
    ...(depth === 0 ? [] : [{ weight: 2, arbitrary: objectOf(depth - 1, isUsual) }]),
  ]
  if (isUsual) return fc.oneof(...usual)
  const odd = fc.oneof(
    fc.constantFrom(...slow),
    leaf.map(({ schema, value }) => ({
      schema: z.array(schema),
      value: fc.array(
        value.map((item) => (item === absent ? null : item)),
        { maxLength: 3 },
      ),
      isInPlace: false,
    })),
    fc
      .tuple(depth === 0 ? literal : objectOf(depth - 1, false), wrap)
      .map(([sample, how]) => wrapped(sample, how, false)),
  )
  return fc.oneof(...usual, { weight: 1, arbitrary: odd })
}

/** Objects of random fields; usual ones are such as a byte reader can follow. */
export function objectOf(depth: number, isUsual: boolean): fc.Arbitrary<Sample> {
  const fields = fc.uniqueArray(fc.tuple(fc.constantFrom(...(isUsual ? usualNames : names)), fieldOf(depth, isUsual)), {
    selector: ([name]) => name,
    maxLength: 6,
  })
  const kind = isUsual ? fc.constantFrom('plain', 'strict') : fc.constantFrom('plain', 'strict', 'loose', 'refined')
  return fc.tuple(fields, kind).map(([entries, how]) => {
    const shape = Object.fromEntries(entries.map(([name, { schema }]) => [name, schema]))
    const isFollowed = entries.every(
      ([name, sample]) => sample.isInPlace && /^[\w.-]+$/.test(name) && !(name in Object.prototype),
    )
    const value = fc
      .tuple(fc.tuple(...entries.map(([, sample]) => sample.value)), fc.boolean())
      .map(([values, isReversed]) => {
        const found = entries
          .map(([name], index) => [name, values[index]] as const)
          .filter(([, item]) => item !== absent)
        return Object.fromEntries(isReversed ? found.reverse() : found)
      })
    return {
      schema:
        how === 'strict'
          ? z.strictObject(shape)
          : how === 'loose'
            ? z.looseObject(shape)
            : how === 'refined'
              ? z.object(shape).refine(() => true)
              : z.object(shape),
      value,
      isInPlace: isFollowed && (how === 'plain' || how === 'strict'),
    }
  })
}
