import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IdRanges, type RunBlock } from '../../src/operators/idRanges.ts'

interface Run {
  readonly from: number
  readonly to: number
  readonly newest: number
}

/** The same set as one list of runs, found anew each time. */
class NaiveRanges {
  runs: Run[] = []

  add(id: number, time: number): boolean {
    if (this.runs.some(({ from, to }) => from <= id && id <= to)) return false
    const touching = this.runs.filter(({ from, to }) => to === id - 1 || from === id + 1)
    const run = {
      from: Math.min(id, ...touching.map(({ from }) => from)),
      to: Math.max(id, ...touching.map(({ to }) => to)),
      newest: Math.max(time, ...touching.map(({ newest }) => newest)),
    }
    this.runs = [...this.runs.filter((one) => !touching.includes(one)), run]
    return true
  }

  forget(time: number): void {
    this.runs = this.runs.filter(({ newest }) => newest > time)
  }

  get oldest(): number {
    return this.runs.length === 0 ? 0 : Math.min(...this.runs.map(({ newest }) => newest))
  }
}

/** Ranges with what a checkpoint has of them: blocks are written when they are told of. */
class SavedRanges {
  ranges = new IdRanges()
  readonly saved = new Map<string, RunBlock>()
  writes = 0

  constructor() {
    this.#watch()
  }

  restart(): void {
    this.ranges = IdRanges.decode(JSON.parse(JSON.stringify(this.ranges.encode())))
    this.ranges.attach(structuredClone([...this.saved.values()]))
    this.#watch()
  }

  #watch(): void {
    this.ranges.onBlock = (block, isGone) => {
      this.writes += block.runs.length
      if (isGone) this.saved.delete(block.name)
      else this.saved.set(block.name, structuredClone(block))
    }
  }
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('stride' as const),
      from: fc.nat(4_000),
      by: fc.constantFrom(2, 3),
      count: fc.nat(300),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('fill' as const),
      from: fc.nat(4_000),
      by: fc.constant(1),
      count: fc.nat(200),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('down' as const),
      from: fc.nat(4_000),
      by: fc.constantFrom(-1, -2),
      count: fc.nat(200),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('forget' as const),
      from: fc.nat(40),
      by: fc.constant(0),
      count: fc.constant(0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('restart' as const),
      from: fc.constant(0),
      by: fc.constant(0),
      count: fc.constant(0),
    }),
  },
)

describe('ranges of ids in blocks', () => {
  it('are the same set as one list of runs, whatever comes, is forgotten or restored', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        const naive = new NaiveRanges()
        const kept = new SavedRanges()
        let time = 0
        for (const { kind, from, by, count } of steps) {
          time += 10
          if (kind === 'restart') kept.restart()
          else if (kind === 'forget') {
            naive.forget(time - from * 10)
            kept.ranges.forget(time - from * 10)
          } else {
            for (let i = 0; i < count; i++) {
              const id = from + i * by
              expect(kept.ranges.add(id, time)).toBe(naive.add(id, time))
            }
          }
          expect(kept.ranges.oldest).toBe(naive.oldest)
          expect(kept.ranges.isEmpty).toBe(naive.runs.length === 0)
          expect(kept.ranges.isStale(time - 50)).toBe(naive.runs.some(({ newest }) => newest <= time - 50))
        }
        kept.restart()
        for (let id = -400; id < 5_000; id += 7) expect(kept.ranges.add(id, time)).toBe(naive.add(id, time))
      }),
      { numRuns: 60 },
    )
  })

  it('cost what came, and not what is kept, when ids go in steps of two', () => {
    const kept = new SavedRanges()
    for (let id = 0; id < 200_000; id += 2) kept.ranges.add(id, id)
    expect(kept.writes).toBeLessThan(110_000)
    expect(JSON.stringify(kept.ranges.encode()).length).toBeLessThan(2_000)
  })
})
