import fc from 'fast-check'
import type { Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import type { Output } from '../../../src/runtime/operator/operator.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { TimerQueue } from '../../../src/runtime/time/timerQueue.ts'
import { ChainTask, savedFrom } from '../../support/tasks.ts'

type Item = readonly [key: string, at: number]

const timed = eventTime<Item>({ of: ([, at]) => at, maxOutOfOrdernessMs: 0 })

/** `act` at each value; a timer that fires emits what it is, and its event time. */
const timers = (act: (item: Item, out: Output<string>) => void) => (items: Observable<Item>) =>
  items.pipe(
    timed,
    stateful<Item, string>({ name: 'timers' }, (_restored, out) => ({
      onValue: (item) => act(item, out),
      onTimer: (key, time) => out.emit(`${key} ${time} at ${out.valueTime()}`),
    })),
  )

describe('TimerQueue', () => {
  it('gives what is due by time, and at one time in the order of adding', () => {
    // Times that lie close together, some of them minutes later or earlier: those that are due later are not sorted yet.
    const time = fc
      .record({ minutes: fc.integer({ min: -1, max: 4 }), ms: fc.integer({ min: 0, max: 50 }) })
      .map(({ minutes, ms }) => minutes * 65_536 + ms)
    const step = fc.oneof(fc.record({ add: time }), fc.record({ add: time }), fc.record({ until: time }))
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const queue = new TimerQueue<number>()
        let waiting: { time: number; item: number }[] = []
        let added = 0
        for (const one of steps) {
          if ('add' in one) {
            waiting.push({ time: one.add, item: added })
            queue.add(one.add, added++)
          } else {
            const expected = waiting.filter(({ time }) => time <= one.until).sort((a, b) => a.time - b.time)
            const taken: number[] = []
            for (let due = queue.take(one.until); due !== undefined; due = queue.take(one.until))
              taken.push(...due.items)
            expect(taken).toEqual(expected.map(({ item }) => item))
            waiting = waiting.filter(({ time }) => time > one.until)
          }
          const times = waiting.map(({ time }) => time)
          expect(queue.nextDue).toBe(Math.min(Number.POSITIVE_INFINITY, ...times))
          const told = [...queue.waiting()].flatMap(({ time, items }) => items.map(() => time))
          expect(told.sort((a, b) => a - b)).toEqual(times.sort((a, b) => a - b))
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('lets go of what was withdrawn, wherever it waits, and keeps the order of the rest', () => {
    const withdrawn = new Set<number>()
    const queue = new TimerQueue<number>((item) => !withdrawn.has(item))
    const due = (item: number) => ((item * 7) % 10) * 30_000
    for (let item = 0; item < 4_000; item += 1) queue.add(due(item), item)
    for (let item = 0; item < 4_000; item += 1) {
      if (item % 3 === 0) continue
      withdrawn.add(item)
      queue.withdraw()
    }
    expect([...queue.waiting()].reduce((sum, { items }) => sum + items.length, 0)).toBeLessThan(2_700)
    const taken: number[] = []
    for (let next = queue.take(Number.POSITIVE_INFINITY); next !== undefined; ) {
      taken.push(...next.items.filter((item) => !withdrawn.has(item)))
      next = queue.take(Number.POSITIVE_INFINITY)
    }
    const all = Array.from({ length: 4_000 }, (_, item) => item).filter((item) => item % 3 === 0)
    expect(taken).toEqual(all.sort((a, b) => due(a) - due(b) || a - b))
  })
})

describe('keyed timers', () => {
  it('fire once each, when the watermark has come to them, by time and then by key', () => {
    const run = new ChainTask<Item>(
      timers(([key, at], out) => {
        for (const after of [10, 5, 5]) out.at(key, at + after)
      }),
    )
    run.push(['b', 0], ['a', 0], ['c', 5])
    expect(run.out).toEqual([])
    run.push(['d', 6])
    expect(run.out).toEqual(['a 5 at 5', 'b 5 at 5'])
    run.push(['e', 100])
    expect(run.out.slice(2)).toEqual([
      'a 10 at 10',
      'b 10 at 10',
      'c 10 at 10',
      'd 11 at 11',
      'c 15 at 15',
      'd 16 at 16',
    ])
  })

  it('are saved with their operator, those that were cancelled are not', () => {
    const chain = timers(([key, at], out) => {
      if (key === 'cancel') out.cancel('a', 10)
      else out.at(key, at + 10)
    })
    const first = new ChainTask<Item>(chain).push(['a', 0], ['b', 0])
    const cuts = [first.cut(), first.push(['cancel', 1]).cut()]
    const second = new ChainTask<Item>(chain, savedFrom(...cuts)).push(['z', 50])
    expect(second.out).toEqual(['b 10 at 10'])
    expect(first.push(['z', 50]).out).toEqual(second.out)
  })

  it('set in the past fire at the next move of time, and their results are not late below', () => {
    const run = new ChainTask<Item>((items) =>
      timers(([key], out) => out.at(key, 1))(items).pipe(tumblingWindow({ name: 'w', sizeMs: 10, by: () => 'k' })),
    )
    run.push(['a', 500], ['b', 501])
    expect(run.cut().deadLetters).toEqual([])
    expect(run.out).toMatchObject([{ value: 'a 1 at 1' }, { kind: 'fired' }, { kind: 'over' }, { value: 'b 1 at 500' }])
  })

  it('that set themselves again do so as time goes on, and do not keep the end of the input from coming', () => {
    const chain = (items: Observable<Item>) =>
      items.pipe(
        timed,
        stateful<Item, number>({ name: 'every' }, (_restored, out) => ({
          onValue: ([key, at]) => out.at(key, at + 10),
          onTimer: (key, time) => {
            out.emit(time)
            out.at(key, time + 10)
          },
        })),
      )
    const run = new ChainTask<Item>(chain).push(['a', 0], ['b', 35])
    expect(run.out).toEqual([10, 20, 30])
    run.task.closeOpen()
    expect(run.out.length).toBeLessThan(20)
  })

  it('that set themselves for the time at which they fire come at the next move, not for ever', () => {
    const chain = (items: Observable<Item>) =>
      items.pipe(
        timed,
        stateful<Item, number>({ name: 'again' }, (_restored, out) => ({
          onValue: ([key, at]) => out.at(key, at),
          onTimer: (key, time) => {
            out.emit(time)
            out.at(key, time)
          },
        })),
      )
    const run = new ChainTask<Item>(chain).push(['a', 0], ['a', 1], ['a', 2])
    expect(run.out).toEqual([0, 0, 1])
  })

  it('of one operator that fails do not keep the others from firing', () => {
    const run = new ChainTask<Item>((items) =>
      items.pipe(
        timed,
        stateful<Item, string>({ name: 'failing' }, (_restored, out) => ({
          onValue: ([key, at]) => out.at(key, at + 1),
          onTimer: (key) => {
            if (key === 'b') throw new TypeError('not b')
            out.emit(key)
          },
        })),
      ),
    )
    run.push(['a', 0], ['b', 0], ['c', 0], ['d', 9])
    expect(run.out).toEqual(['a', 'c'])
    expect(run.cut().deadLetters).toMatchObject([{ offset: 3, operator: 'failing', reason: 'failed', payload: null }])
  })

  it('that are no whole number set their value aside; without an onTimer the operator is refused', () => {
    const run = new ChainTask<Item>(timers((_item, out) => out.at('k', 1.5))).push(['a', 0])
    expect(run.cut().deadLetters).toMatchObject([{ operator: 'timers', reason: 'failed' }])
    const without = stateful<Item, string>({ name: 'without' }, (_restored, out) => ({ onValue: () => out.at('k', 1) }))
    expect(() => new ChainTask<Item>((items) => items.pipe(timed, without)).push(['a', 0])).toThrow('has no onTimer')
  })

  it('that are cancelled and set again fire as if they had only been set, restored or not', () => {
    const chain = (items: Observable<Item>) =>
      items.pipe(
        timed,
        stateful<Item, string>({ name: 'again' }, (_restored, out) => ({
          onValue: ([key, at]) => {
            out.at(key, at + 10)
            if (key === 'b') out.cancel('b', at + 10)
          },
          onTimer: (key, time) => {
            out.emit(`${key} ${time}`)
            if (key === 'a') out.at('b', time)
          },
        })),
      )
    const live = new ChainTask<Item>(chain).push(['a', 0], ['b', 0])
    const restored = new ChainTask<Item>(chain, savedFrom(live.cut()))
    for (const run of [live, restored]) run.push(['z', 50])
    expect(live.out).toEqual(['a 10'])
    expect(restored.out).toEqual(live.out)
    for (const run of [live, restored]) run.push(['z', 60])
    expect(live.out).toEqual(['a 10', 'b 10'])
    expect(restored.out).toEqual(live.out)
  })

  it('that are taken back again and again leave nothing behind', () => {
    const moving = timers(([key, at], out) => {
      out.cancel(key, at - 1 + 86_400_000)
      out.at(key, at + 86_400_000)
    })
    const run = new ChainTask<Item>(moving)
    const before = process.memoryUsage().heapUsed
    for (let at = 0; at < 50_000; at++) run.push(['a', at])
    run.cut()
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(60_000_000)
    expect(JSON.parse(run.cut().state.body).operators).toEqual([])
  })
})

describe('onWatermark', () => {
  it('may emit at every move of time, idle steps included, and nothing below finds it late', () => {
    const run = new ChainTask<Item>((items) =>
      items.pipe(
        timed,
        stateful<Item, string>({ name: 'every' }, (_restored, out) => ({
          onValue: () => undefined,
          onWatermark: (watermark) => out.emit(`w ${watermark}`),
        })),
        tumblingWindow({ name: 'w', sizeMs: 10, by: () => 'k' }),
      ),
    )
    run.push(['a', 5], ['a', 6])
    run.task.advanceIdle(100)
    const values = run.out.filter((element) => (element as { kind: string }).kind === 'value')
    expect(values.map((element) => (element as unknown as { value: string }).value)).toEqual(['w 4', 'w 5', 'w 100'])
    expect(run.cut().deadLetters).toEqual([])
  })
})
