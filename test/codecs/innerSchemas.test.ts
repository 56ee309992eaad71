import { expect, test } from 'vitest'
import { z } from 'zod'
import { innerSchemas } from '../../src/codecs/innerSchemas.ts'

test('finds a schema wherever another is made of it', () => {
  const inner = z.string().transform((text) => text.length)
  for (const outer of [
    inner,
    z.object({ a: inner }),
    z.object({}).catchall(inner),
    z.array(inner),
    z.tuple([z.int(), inner]),
    z.tuple([z.int()], inner),
    z.record(z.string(), inner),
    z.map(z.string(), inner),
    z.set(inner),
    z.union([z.int(), inner]),
    z.intersection(z.unknown(), inner),
    z.lazy(() => inner),
    inner.optional(),
    inner.nullable(),
    inner.default(3),
    inner.catch(3),
    inner.readonly(),
    inner.pipe(z.int()),
    z.preprocess((value) => value, inner),
    z.object({
      a: z.array(
        z.object({
          get b() {
            return inner.optional()
          },
        }),
      ),
    }),
  ]) {
    expect(innerSchemas(outer).has(inner), outer.type).toBe(true)
  }
})

test('finds each schema once, also where it contains itself', () => {
  const tree: z.ZodType = z.object({ left: z.lazy(() => tree), right: z.lazy(() => tree) })
  expect(innerSchemas(tree).size).toBe(3)
})

test('ends at a schema that makes itself anew at each level', () => {
  const anew = (): z.ZodType => z.array(z.lazy(anew))
  expect(innerSchemas(anew()).size).toBe(10_000)
})
