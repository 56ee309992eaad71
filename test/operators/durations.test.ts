import type { Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { dedupe } from '../../src/operators/dedupe.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { ohlcv } from '../../src/operators/ohlcv.ts'
import { rollup } from '../../src/operators/rollup.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import type { Duration } from '../../src/runtime/duration.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { ChainTask, savedFrom } from '../support/tasks.ts'

interface Written {
  readonly bound: Duration
  readonly advance: Duration
  readonly ttl: Duration
  readonly size: Duration
  readonly lateness: Duration
  readonly every: Duration
}

const numbers: Written = { bound: 2_000, advance: 600_000, ttl: 3_600_000, size: 60_000, lateness: 30_000, every: 250 }
const texts: Written = { bound: '2s', advance: '10m', ttl: '1h', size: '1m', lateness: '0.5m', every: '250ms' }

interface Item {
  readonly id: number
  readonly at: number
}

const countsAMinute = (as: Written) => (items: Observable<Item>) =>
  items.pipe(
    eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: as.bound, maxAdvanceMs: as.advance }),
    dedupe({ name: 'set', by: () => 'k', id: ({ id }) => id, ttlMs: as.ttl }),
    dedupe({ name: 'ranges', by: () => 'k', id: ({ id }) => id, ids: 'ranges', ttlMs: as.ttl }),
    tumblingWindow({ name: 'minutes', sizeMs: as.size, by: () => 'k', allowedLatenessMs: as.lateness }),
    aggregateWindow({
      initial: () => 0,
      add: (count) => count + 1,
      result: (count, { start, end }, { revision }) => ({ start, end, revision, count }),
      provisionalEveryMs: as.every,
    }),
  )

/** Two windows, a correction, a repeat and a value that is late. */
const items: readonly Item[] = [10_000, 59_000, 70_000, 50_000, 88_000, 40_000, 130_000, 89_000, 200_000].map(
  (at, i) => ({ id: i === 3 ? 1 : i, at }),
)

describe('a pipeline whose durations are text', () => {
  it('goes on from the checkpoint of one whose durations are numbers, and the other way', () => {
    const whole = new ChainTask<Item>(countsAMinute(numbers)).push(...items)
    const wholeCut = whole.cut(1_000, true)
    expect(whole.out.length).toBeGreaterThan(4)
    for (let at = 0; at <= items.length; at += 1) {
      for (const [before, after] of [
        [numbers, texts],
        [texts, numbers],
      ] as const) {
        const first = new ChainTask<Item>(countsAMinute(before)).push(...items.slice(0, at))
        const cut = first.cut(Number.NEGATIVE_INFINITY)
        const second = new ChainTask<Item>(countsAMinute(after), savedFrom(cut)).push(...items.slice(at))
        expect(second.cut(1_000, true).nextOffset).toBe(wholeCut.nextOffset)
        const decided = (out: readonly unknown[]) => out.filter((row) => (row as { revision: number }).revision > 0)
        expect(decided([...first.out, ...second.out])).toEqual(decided(whole.out))
      }
    }
  })

  it('saves the very bytes that numbers save', () => {
    const cutOf = (as: Written) => new ChainTask<Item>(countsAMinute(as)).push(...items).cut().state.body
    expect(cutOf(texts)).toBe(cutOf(numbers))
    expect(cutOf(texts)).toContain('"shape":{"sizeMs":60000}')
  })
})

describe('an operator refuses what is no duration by the name of the option', () => {
  const time = { of: () => 0, maxOutOfOrdernessMs: 0 }
  const ids = { by: () => 'k', id: () => 0 }
  const by = () => 'k'
  const fold = { initial: () => 0, add: () => 0, result: () => 0 }
  it.each<[string, (value: Duration) => unknown]>([
    ['eventTime: maxOutOfOrdernessMs', (value) => eventTime({ ...time, maxOutOfOrdernessMs: value })],
    ['eventTime: maxAdvanceMs', (value) => eventTime({ ...time, maxAdvanceMs: value })],
    ['dedupe: ttlMs', (value) => dedupe({ ...ids, ttlMs: value })],
    ['dedupe: ttlMs', (value) => dedupe({ ...ids, ids: 'ranges', ttlMs: value })],
    ["tumblingWindow 'w': sizeMs", (value) => tumblingWindow({ name: 'w', sizeMs: value, by })],
    [
      "tumblingWindow 'w': allowedLatenessMs",
      (value) => tumblingWindow({ name: 'w', sizeMs: 1, by, allowedLatenessMs: value }),
    ],
    ['aggregateWindow: provisionalEveryMs', (value) => aggregateWindow({ ...fold, provisionalEveryMs: value })],
    ['ohlcv: provisionalEveryMs', (value) => ohlcv({ provisionalEveryMs: value })],
    ['rollup: provisionalEveryMs', (value) => rollup({ provisionalEveryMs: value })],
  ])('%s', (what, make) => {
    for (const value of ['5 m', '', '1e3m', '0.5ms', Number.NaN] as Duration[]) {
      expect(() => make(value)).toThrow(ConfigurationError)
      expect(() => make(value)).toThrow(`${what} must be `)
    }
    expect(() => make('-1s')).toThrow(`${what} must `)
    expect(() => make('-1s')).toThrow('got -1s')
    expect(() => make('1.5s')).not.toThrow()
  })
})
