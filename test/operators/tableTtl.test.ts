import { map, of, Subject } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { jsonCodec } from '../../src/codecs/jsonCodec.ts'
import { topic } from '../../src/codecs/topic.ts'
import { enrich } from '../../src/operators/enrich.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { mapAsync } from '../../src/operators/mapAsync.ts'
import { toTable } from '../../src/operators/toTable.ts'
import { ConfigurationError, OperatorError } from '../../src/runtime/errors.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import type { SavedCheckpoint } from '../../src/runtime/store/checkpoint.ts'
import { StreamTask } from '../../src/runtime/task/streamTask.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { testPipeline } from '../../src/testing/kit/testPipeline.ts'
import { viewOf } from '../../src/testing/kit/testRecord.ts'

const Order = z.object({ at: z.number(), of: z.string() })
const Tier = z.object({ id: z.string(), tier: z.string().nullable() })

const inputs = {
  orders: topic('orders', { value: jsonCodec(Order) }),
  tiers: { topic: topic('tiers', { value: jsonCodec(Tier) }), movesTime: false },
}

const lines = {
  mode: 'append',
  name: 'lines',
  columns: [{ name: 'line', type: 'text', of: (line: string) => line }],
} as const

const aging = (ttlMs?: number | string) =>
  definePipeline({
    name: 'aging',
    inputs,
    build: ({ orders, tiers }) => {
      const known = toTable(tiers, {
        name: 'tiers',
        by: ({ id }) => id,
        value: ({ tier }) => tier,
        maxKeys: 100,
        ...(ttlMs === undefined ? {} : { ttlMs: ttlMs as number }),
      })
      return {
        lines: toPostgres(
          orders.pipe(
            eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
            enrich(known, { by: (order) => order.of, with: ({ at }, tier) => `${at} ${tier ?? 'none'}` }),
          ),
          lines,
        ),
      }
    },
  })

const order = (at: number, whose = 'ada') => ({ at, of: whose })
const tier = (name: string | null, id = 'ada') => ({ id, tier: name })

describe('a table whose rows go by time', () => {
  it('keeps a row until the watermark is so far beyond where it was at its last change, whatever is saved and restored meanwhile', () => {
    const run = testPipeline(aging(100), { crashAt: [3, 5] })
    run.pushValues('orders', order(1_000))
    // The watermark is 999.
    run.pushValues('tiers', tier('gold'), tier('tin', 'bob'))
    run.pushValues('orders', order(1_099))
    run.pushValues('tiers', tier('lead', 'bob'))
    run.pushValues('orders', order(1_100), order(1_101), order(1_102, 'bob'), order(1_199, 'bob'), order(1_200, 'bob'))
    run.finish()
    const rows = run.rows('lines')
    expect(rows).toEqual(['1000 none', '1099 gold', '1100 gold', '1101 none', '1102 lead', '1199 lead', '1200 none'])
  })

  it('counts from the first time for rows that came before any', () => {
    const run = testPipeline(aging('100ms'))
    run.pushValues('tiers', tier('gold'))
    run.pushValues('orders', order(5_000), order(5_099), order(5_100), order(5_101))
    run.finish()
    expect(run.rows('lines')).toEqual(['5000 gold', '5099 gold', '5100 gold', '5101 none'])
  })

  it('may take a row away and bring it again, which is as old as its last change then', () => {
    const run = testPipeline(aging(100))
    run.pushValues('orders', order(1_000))
    run.pushValues('tiers', tier('gold'))
    run.pushValues('orders', order(1_050))
    run.pushValues('tiers', tier(null), tier('lead'))
    run.pushValues('orders', order(1_100), order(1_101), order(1_150), order(1_151))
    run.finish()
    expect(run.rows('lines').slice(2)).toEqual(['1100 lead', '1101 lead', '1150 lead', '1151 none'])
  })

  it('may get a ttl, or lose it, between two starts: rows from before are as old as the checkpoint', () => {
    let saved: SavedCheckpoint | null = null
    const offsets = [0, 0]
    const start = (ttlMs: number | undefined, ...steps: readonly (readonly [input: number, value: unknown])[]) => {
      const task = new StreamTask(aging(ttlMs), saved, [0, 0])
      for (const [input, value] of steps) {
        task.push(viewOf({ value }, offsets[input] as number), input)
        offsets[input] = (offsets[input] as number) + 1
      }
      const { nextOffset, otherOffsets, watermark, state, writes } = task.cut({ now: 0, isFinal: true })
      const others = otherOffsets.map((next) => ({ nextOffset: next, archiveNextOffset: null }))
      saved = { nextOffset, watermark, archiveNextOffset: null, others, state: [...(saved?.state ?? []), state] }
      return writes.flatMap(({ rows }) => rows)
    }
    expect(start(undefined, [1, tier('gold')], [0, order(1_000)])).toEqual(['1000 gold'])
    expect(start(100, [0, order(1_099)], [0, order(1_100)], [0, order(1_101)])).toEqual([
      '1099 gold',
      '1100 gold',
      '1101 none',
    ])
    expect(start(100, [1, tier('tin')])).toEqual([])
    expect(start(undefined, [0, order(9_000)], [0, order(9_001)])).toEqual(['9000 tin', '9001 tin'])
    expect(start(undefined, [0, order(9_999)])).toEqual(['9999 tin'])
  })

  it('refuses a time that moves below a call, which lets values go at checkpoints: rows would go at another place in a replay', async () => {
    const pipeline = definePipeline({
      name: 'across',
      inputs,
      build: ({ orders, tiers }) => {
        const known = toTable(tiers, {
          name: 'tiers',
          by: ({ id }) => id,
          value: ({ tier }) => tier,
          maxKeys: 9,
          ttlMs: 10,
        })
        const found = enrich(known, {
          by: (one: z.infer<typeof Order>) => one.of,
          with: ({ at }, tier) => ({ at, line: `${at} ${tier ?? 'none'}` }),
        })
        return {
          lines: toPostgres(
            orders.pipe(
              found,
              mapAsync(async (one) => one, { concurrency: 8 }),
              eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
              map(({ line }) => line),
            ),
            lines,
          ),
        }
      },
    })
    const start = () => new StreamTask(pipeline, null, [0, 0])
    const [tableFirst, timeFirst] = [start(), start()]
    tableFirst.push(viewOf({ value: tier('tin') }, 0), 1)
    tableFirst.push(viewOf({ value: order(1) }, 0), 0)
    await expect(tableFirst.settle()).rejects.toThrow(
      /eventTime: mapAsync lets values go at checkpoints.* Put mapAsync above/,
    )
    timeFirst.push(viewOf({ value: order(1) }, 0), 0)
    await timeFirst.settle()
    expect(() => timeFirst.push(viewOf({ value: tier('tin') }, 0), 1)).toThrow(/tiers: mapAsync lets values go/)
  })

  it('refuses a ttl that is none, and one that nothing can measure', () => {
    for (const bad of [0, -1, 1.5, 'soon']) expect(() => testPipeline(aging(bad))).toThrow(ConfigurationError)
    const changes = new Subject<{ readonly id: string }>()
    const options = { name: 't', by: ({ id }: { readonly id: string }) => id, value: () => 1, maxKeys: 9, ttlMs: 10 }
    const errors: unknown[] = []
    of()
      .pipe(enrich(toTable(changes, options), { by: String, with: () => 1 }))
      .subscribe()
    const values = new Subject<string>()
    values
      .pipe(enrich(toTable(changes, options), { by: String, with: () => 1 }))
      .subscribe({ error: (error) => errors.push(error) })
    changes.next({ id: 'a' })
    expect(errors).toEqual([expect.any(OperatorError)])
    expect(String(errors[0])).toContain('no eventTime stands above the changes')
  })
})
