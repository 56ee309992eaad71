import { expect, it } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../../src/codecs/jsonCodec.ts'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { decode } from '../../../src/operators/decode.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { definePipeline } from '../../../src/runtime/pipeline/pipeline.ts'
import type { AppendTable } from '../../../src/runtime/store/table.ts'
import { toPostgres } from '../../../src/sinks/toPostgres.ts'
import { testPipeline } from '../../../src/testing/kit/testPipeline.ts'

const visits = z.object({ user: z.string(), at: z.int() })
type Visit = z.infer<typeof visits>

const results: AppendTable<unknown> = {
  mode: 'append',
  name: 'results',
  columns: [{ name: 'result', type: 'jsonb', of: (row) => JSON.stringify(row) }],
}

const counted = (by: (visit: Visit) => string) =>
  definePipeline({
    name: 'counted',
    build: (records) => ({
      counts: toPostgres(
        records.pipe(
          decode(jsonCodec(visits)),
          eventTime<Visit>({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
          tumblingWindow<Visit>({ name: 'w', sizeMs: 1_000, by }),
          aggregateWindow<Visit, readonly Visit[], unknown>({
            name: 'all',
            initial: () => [],
            add: (all, visit) => [...all, visit],
            result: (all, { key }) => ({ key, all }),
          }),
        ),
        results,
      ),
    }),
  })

const pushed: readonly Visit[] = [
  { user: 'ann', at: 1 },
  { user: 'bob', at: 2 },
  { user: 'ann', at: 3 },
]

it('lends the values of one run, and a fold that keeps them gets values of its own', () => {
  const run = testPipeline(counted(({ user }) => user))
  run.pushValues(...pushed)
  run.closeOpen()
  expect(run.rows('counts')).toStrictEqual([
    { key: 'ann', all: [pushed[0], pushed[2]] },
    { key: 'bob', all: [pushed[1]] },
  ])
  run.finish()
})

it('finds a callback that keeps the value that it is asked about', () => {
  const users = new WeakMap<Visit, string>()
  const run = testPipeline(
    counted((visit) => {
      const user = users.get(visit) ?? visit.user
      users.set(visit, user)
      return user
    }),
  )
  run.pushValues(...pushed)
  run.closeOpen()
  expect(() => run.finish()).toThrow(/a callback that keeps the value it is asked about/)
})
