import fc from 'fast-check'
import type { Observable } from 'rxjs'
import { of } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { dedupe } from '../../src/operators/dedupe.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { IdRanges } from '../../src/operators/idRanges.ts'
import type { TaskCut } from '../../src/runtime/task/taskCut.ts'
import { ChainTask, savedFrom } from '../support/tasks.ts'

interface Item {
  readonly id: number
  readonly at: number
  readonly key?: string
}

const chain =
  (ids: 'set' | 'ranges', ttlMs = 1_000) =>
  (values: Observable<Item>) => {
    const shared = { by: (item: Item) => item.key ?? 'k', id: (item: Item) => item.id, ttlMs }
    return values.pipe(
      eventTime({ of: (item) => item.at, maxOutOfOrdernessMs: 0 }),
      ids === 'set' ? dedupe({ ...shared, ids }) : dedupe({ ...shared, ids }),
    )
  }

describe('dedupe by set', () => {
  it('keeps keys and ids apart, whatever characters they have', () => {
    // The same text, taken apart into a key and an id at every place where a separator may have stood.
    const separated = fc.record({
      parts: fc.array(fc.string({ unit: fc.constantFrom('a', '1', ':') }), { minLength: 2, maxLength: 5 }),
      separator: fc.constantFrom('\u0000', ':', '@', '1:', ''),
    })
    fc.assert(
      fc.property(separated, ({ parts, separator }) => {
        const cuts = parts
          .slice(1)
          .map((_, i) => [parts.slice(0, i + 1), parts.slice(i + 1)].map((part) => part.join(separator)))
        const all = [...new Set(cuts.map((pair) => JSON.stringify(pair)))].map(
          (text) => JSON.parse(text) as [string, string],
        )
        const out: unknown[] = []
        of(...all)
          .pipe(
            eventTime({ of: () => 0, maxOutOfOrdernessMs: 0 }),
            dedupe({ by: ([key]) => key, id: ([, id]) => id, ttlMs: 1_000 }),
          )
          .subscribe((value) => out.push(value))
        expect(out).toEqual(all)
      }),
    )
  })

  it('forgets many ids bit by bit as time goes on, and a restart in the middle changes nothing', () => {
    const many = Array.from({ length: 5_000 }, (_, id) => ({ id, at: 0 }))
    const live = new ChainTask<Item>(chain('set', 100)).push(...many)
    const cuts = [live.cut()]
    const goneAt = (cut: TaskCut) =>
      (
        JSON.parse(cut.state.body).operators.find(({ name }: { name: string }) => name === 'dedupe')?.keyed ?? []
      ).filter((pair: readonly unknown[]) => pair.length === 1).length as number
    const gone: number[] = []
    let restarted = new ChainTask<Item>(chain('set', 100), savedFrom(...cuts))
    const goneThere: number[] = []
    const there = [...cuts]
    for (let step = 0; step < 8; step++) {
      const next = { id: 10_000 + step, at: 5_000 + step }
      gone.push(goneAt(live.push(next).cut()))
      there.push(restarted.push(next).cut())
      goneThere.push(goneAt(there.at(-1) as TaskCut))
      restarted = new ChainTask<Item>(chain('set', 100), savedFrom(...there))
    }
    expect(Math.max(...gone)).toBeLessThan(1_100)
    expect(gone.reduce((sum, count) => sum + count)).toBe(5_000)
    expect(goneThere).toEqual(gone)
  })
})

describe.each(['set', 'ranges'] as const)('dedupe by %s', (ids) => {
  it('passes the first of each id and drops repeats, near and far', () => {
    const run = new ChainTask<Item>(chain(ids)).push(
      { id: 1, at: 0 },
      { id: 2, at: 1 },
      { id: 2, at: 2 },
      { id: 1, at: 3 },
      { id: 9, at: 4 },
      { id: 3, at: 5 },
    )
    expect(run.out).toMatchObject([{ id: 1 }, { id: 2 }, { id: 9 }, { id: 3 }])
  })

  it('keeps the ids of different keys apart', () => {
    const run = new ChainTask<Item>(chain(ids)).push({ id: 1, at: 0, key: 'a' }, { id: 1, at: 1, key: 'b' })
    expect(run.out).toHaveLength(2)
  })

  it('drops a repeat across a restore, and none that is new', () => {
    const before = new ChainTask<Item>(chain(ids)).push({ id: 1, at: 0 }, { id: 2, at: 1 })
    const after = new ChainTask<Item>(chain(ids), savedFrom(before.cut())).push({ id: 2, at: 2 }, { id: 3, at: 3 })
    expect(after.out).toMatchObject([{ id: 3 }])
  })

  it('forgets an id once the watermark has passed it by the ttl, and keeps no state for it', () => {
    const run = new ChainTask<Item>(chain(ids)).push({ id: 1, at: 0 }, { id: 500, at: 5_000 }, { id: 900, at: 9_000 })
    const { body } = run.cut().state
    expect(body).not.toContain('[1,')
    expect(run.push({ id: 1, at: 9_001 }).out).toHaveLength(4)
  })

  it('is the same however often it is restored', () => {
    const items = fc.array(fc.record({ id: fc.integer({ min: 0, max: 30 }), step: fc.integer({ min: 0, max: 400 }) }))
    fc.assert(
      fc.property(items, (steps) => {
        let at = 0
        const values = steps.map(({ id, step }) => {
          at += step
          return { id, at }
        })
        const whole = new ChainTask<Item>(chain(ids)).push(...values)
        const pieces: unknown[] = []
        const cuts: TaskCut[] = []
        let run = new ChainTask<Item>(chain(ids))
        for (const value of values) {
          run.push(value)
          pieces.push(...run.out)
          cuts.push(run.cut())
          run = new ChainTask<Item>(chain(ids), savedFrom(...cuts))
        }
        expect(pieces).toEqual(whole.out)
      }),
    )
  })
})

describe('dedupe', () => {
  it('refuses a ttl that is not positive', () => {
    expect(() => dedupe({ by: () => 'k', id: () => 1, ttlMs: 0 })).toThrow(
      'ttlMs must be a positive whole number, got 0',
    )
  })

  it('works in any RxJS program', () => {
    const out: Item[] = []
    of({ id: 1, at: 0 }, { id: 1, at: 1 }, { id: 2, at: 2 })
      .pipe(chain('ranges'))
      .subscribe((item) => out.push(item as Item))
    expect(out.map(({ id }) => id)).toEqual([1, 2])
  })
})

describe('dedupe by ranges of ids that go in steps of two', () => {
  const bytesOf = (by: number): number => {
    const run = new ChainTask<Item>(chain('ranges', 600_000))
    let bytes = 0
    for (let cut = 0; cut < 100; cut++) {
      run.push(...Array.from({ length: 100 }, (_, i) => ({ id: (cut * 100 + i) * by, at: cut * 100 + i })))
      bytes += run.cut().state.body.length
    }
    return bytes
  }

  it('has checkpoints that cost what came since the last one', () => {
    expect(bytesOf(2)).toBeLessThan(2_000_000)
    expect(bytesOf(1)).toBeLessThan(50_000)
  })
})

describe('IdRanges', () => {
  it('is a set of whole numbers', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -20, max: 20 })), (ids) => {
        const set = new Set<number>()
        let ranges = new IdRanges()
        for (const id of ids) {
          expect(ranges.add(id, 0)).toBe(!set.has(id))
          set.add(id)
          ranges = IdRanges.decode(ranges.encode())
        }
        const runs = ranges.encode() as unknown as readonly (readonly [number, number, number])[]
        expect(runs.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i))).toEqual(
          [...set].sort((a, b) => a - b),
        )
        for (const [i, run] of runs.entries()) if (i > 0) expect(run[0]).toBeGreaterThan((runs[i - 1]?.[1] ?? 0) + 1)
      }),
    )
  })
})
