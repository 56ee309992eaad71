import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { FrameAtHand } from '../../src/codecs/frameAtHand.ts'
import { frameColumns } from '../../src/codecs/frameColumns.ts'
import { compiledShape, type FrameShape, shapeKey, walkedShape } from '../../src/codecs/frameShape.ts'
import { planOf, type SchemaPlan } from '../../src/codecs/schemaPlan.ts'
import { framesOf } from './columns/framesOf.ts'
import { objectOf } from './randomSchema.ts'

/** Each frame that was read, made by code of its own and by walking the plan. */
function bothOf(schema: z.ZodType, texts: readonly string[]): [made: object, walked: object, key: string][] {
  const plan = planOf(schema) as SchemaPlan
  const frame = new FrameAtHand(frameColumns(schema, texts.length))
  const { buffer, starts, lengths, count } = framesOf(texts)
  frame.columns.read(buffer, starts, lengths, 0, count)
  return texts.flatMap((_, row): [object, object, string][] => {
    frame.row = row
    frame.layout = frame.columns.layouts[row] as number
    if (frame.layout === 0) return []
    const shapes = [compiledShape(plan.root, frame) as FrameShape, walkedShape(plan.root, frame)] as const
    const [made, walked] = shapes.map(({ make, getters }) => {
      const object = make()
      const got = Object.fromEntries(getters.map(([name, get]) => [name, get()]))
      assert.deepEqual(got, object)
      expect(Object.keys(got)).toEqual(Object.keys(object))
      return object
    }) as [object, object]
    return [[made, walked, shapeKey(plan.root, frame)]]
  })
}

test('an object that code of its own makes is the one that walking the plan makes, to the order of its fields and the sign of a zero', () => {
  let count = 0
  const sample = objectOf(2, true).chain(({ schema, value }) =>
    fc.tuple(fc.constant(schema), fc.array(value, { minLength: 1, maxLength: 20 })),
  )
  fc.assert(
    fc.property(sample, ([schema, values]) => {
      const texts = values.map((value) => JSON.stringify(value))
      for (const [made, walked] of bothOf(schema, texts)) {
        assert.deepEqual(made, walked)
        expect(Object.keys(made)).toEqual(Object.keys(walked))
        expect(Object.getPrototypeOf(made)).toBe(Object.prototype)
        count += 1
      }
    }),
    { numRuns: 200 },
  )
  expect(count).toBeGreaterThan(500)
  const zeros = bothOf(z.object({ a: z.int(), b: z.number() }), ['{"a":-0,"b":-0}', '{"a":2147483648,"b":0.5}'])
  expect(zeros.map(([made]) => made)).toEqual([
    { a: -0, b: -0 },
    { a: 2_147_483_648, b: 0.5 },
  ])
})

test('what is absent, null and there are shapes of their own', () => {
  const schema = z.object({ a: z.int().nullish(), b: z.object({ c: z.string().nullish() }) })
  const texts = ['{"b":{}}', '{"a":null,"b":{}}', '{"a":1,"b":{"c":null}}', '{"a":1,"b":{"c":"x"}}']
  const shapes = bothOf(schema, texts)
  expect(shapes.map(([made]) => made)).toEqual(texts.map((text) => JSON.parse(text)))
  expect(new Set(shapes.map(([, , key]) => key)).size).toBe(4)
})

const program = `
import { z } from 'zod'
import { jsonCodec } from './src/codecs/jsonCodec.ts'
import { kept } from './src/runtime/spans/lent.ts'
import { ReadAhead } from './src/runtime/log/readAhead.ts'
import { encodeRecordBatch } from './src/sources/recordBatch/encode.ts'
import { RecordBatchWalker } from './src/sources/recordBatch/walker.ts'
import { compiled } from './src/runtime/compiled.ts'
import { table } from './src/sinks/table.ts'
const values = ['{"a":1,"b":"x"}', '{"a":2}'].map((text) => ({ timestamp: 0, key: null, value: Buffer.from(text), headers: [] }))
const ahead = new ReadAhead(2)
ahead.next(new RecordBatchWalker('values', 0).load(encodeRecordBatch(0, values)))
const lender = jsonCodec(z.object({ a: z.int(), b: z.string().optional() })).lender(2)
lender.read(ahead)
const [column] = table('t', { columns: { a: 'bigint' } }).columns
console.log(JSON.stringify([compiled([], [], 'return 1'), [0, 1].map((row) => kept(lender.lend(row))), column.of(kept(lender.lend(1)))]))
`

test('without leave to make code at run time, everything is read as well', () => {
  const said = (...flags: readonly string[]): unknown =>
    JSON.parse(
      execFileSync(process.execPath, [...flags, '--input-type=module-typescript', '--eval', program], {
        cwd: resolve(import.meta.dirname, '../..'),
        encoding: 'utf8',
      }),
    )
  const read = [[{ a: 1, b: 'x' }, { a: 2 }], 2]
  expect(said()).toEqual([1, ...read])
  expect(said('--disallow-code-generation-from-strings')).toEqual([null, ...read])
})
