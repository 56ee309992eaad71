import { z } from 'zod'
import { type Duration, durationMs } from '../runtime/duration.ts'
import type { Condition, Operand } from './condition.ts'

const name = z.string().min(1).max(63)
const names = z.array(name).min(1).max(100)
const scalar = z.union([z.string().max(10_000), z.number(), z.boolean()])
/** What every number is below, or NaN with them, is none. */
const bound = z.union([
  z
    .string()
    .min(1)
    .max(1_000)
    .refine(
      (text) => !/^\s*[+-]?(nan|inf(inity)?)\s*$/i.test(text),
      'a bound is a number or a time, not NaN or infinity',
    ),
  z.number(),
])
const duration = z.union([z.string(), z.number()]).superRefine((value, context) => {
  try {
    if (durationMs(value as Duration, 'it') > 0) return
    context.addIssue({ code: 'custom', message: 'must be more than 0' })
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) })
  }
})
const delay = z.union([z.literal(0), duration])

const operand: z.ZodType<Operand> = z.lazy(() =>
  z.union([
    z.strictObject({ column: name }),
    z.strictObject({ value: scalar }),
    z.strictObject({ plus: z.tuple([operand, operand]) }),
    z.strictObject({ minus: z.tuple([operand, operand]) }),
    z.strictObject({ times: z.tuple([operand, operand]) }),
    z.strictObject({ abs: operand }),
  ]),
)

export const condition: z.ZodType<Condition> = z.lazy(() =>
  z.union([
    z.strictObject({ left: operand, is: z.enum(['=', '<>', '<', '<=', '>', '>=']), right: operand }),
    z.strictObject({ all: z.array(condition).min(1).max(100) }),
    z.strictObject({ any: z.array(condition).min(1).max(100) }),
    z.strictObject({ not: condition }),
    z.strictObject({ isNull: name }),
  ]),
)

const any = {
  name: z.string().min(1).max(200).optional(),
  severity: z.enum(['warn', 'block']).optional(),
  allow: z
    .strictObject({ rows: z.int().min(0).optional(), share: z.number().min(0).max(1).optional() })
    .refine(({ rows, share }) => rows !== undefined || share !== undefined, 'says neither rows nor share')
    .optional(),
  description: z.string().max(2_000).optional(),
}
const ofValues = { ...any, nullable: z.boolean().optional() }

function bounded<T extends z.ZodType<object>>(schema: T, bounds: readonly string[]) {
  return schema.refine((value) => bounds.some((one) => one in value), `needs one of ${bounds.join(', ')}`)
}

/** Expectations come from programs in JavaScript and from files too: what is not known is refused, and nothing is without a bound. */
export const expectation = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('notNull'), ...any, column: name }),
  z.strictObject({ kind: z.literal('unique'), ...ofValues, columns: names }),
  z.strictObject({
    kind: z.literal('acceptedValues'),
    ...ofValues,
    column: name,
    values: z.array(scalar).min(1).max(10_000),
  }),
  bounded(
    z.strictObject({
      kind: z.literal('range'),
      ...ofValues,
      column: name,
      min: bound.optional(),
      max: bound.optional(),
      above: bound.optional(),
      below: bound.optional(),
    }),
    ['min', 'max', 'above', 'below'],
  ),
  z.strictObject({
    kind: z.literal('order'),
    ...ofValues,
    columns: names.min(2),
    strictly: z.boolean().optional(),
  }),
  z.strictObject({ kind: z.literal('matches'), ...ofValues, column: name, pattern: z.string().min(1).max(1_000) }),
  z.strictObject({ kind: z.literal('holds'), ...any, that: condition }),
  z
    .strictObject({
      kind: z.literal('references'),
      ...ofValues,
      columns: names,
      table: name,
      otherColumns: names.optional(),
    })
    .refine(
      ({ columns, otherColumns }) => otherColumns === undefined || otherColumns.length === columns.length,
      'has otherColumns that are more or fewer than columns',
    ),
  z.strictObject({ kind: z.literal('increasing'), ...ofValues, column: name, strictly: z.boolean().optional() }),
  z.strictObject({ kind: z.literal('complete'), ...any, every: duration, lateBy: delay.optional() }),
  z.strictObject({ kind: z.literal('fresh'), ...any, within: duration }),
  bounded(
    z.strictObject({
      kind: z.literal('rowCount'),
      ...any,
      min: z.int().min(0).optional(),
      max: z.int().min(0).optional(),
    }),
    ['min', 'max'],
  ),
  bounded(
    z.strictObject({
      kind: z.literal('aggregate'),
      ...any,
      of: z.enum(['sum', 'average', 'least', 'greatest', 'distinct', 'deviation']),
      column: name,
      min: bound.optional(),
      max: bound.optional(),
    }),
    ['min', 'max'],
  ),
  z.strictObject({
    kind: z.literal('equals'),
    ...any,
    table: name,
    on: names,
    columns: z
      .array(z.union([name, z.strictObject({ column: name, within: z.string().regex(/^\d+(\.\d+)?$/) })]))
      .min(1)
      .max(100),
    otherOnly: condition.optional(),
    missing: z.enum(['fail', 'ignore']).optional(),
    extra: z.enum(['fail', 'ignore']).optional(),
    nothingToCompare: z.enum(['error', 'none']).optional(),
  }),
  z.strictObject({
    kind: z.literal('shape'),
    ...any,
    columns: z
      .record(name, z.string().min(1).max(200))
      .refine((columns) => Object.keys(columns).length > 0, 'is empty'),
    exactly: z.boolean().optional(),
  }),
])
