import { from, merge, type Observable, of, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import type { WindowElement } from '../../src/operators/window.ts'
import { ConfigurationError, OperatorError, StateMismatchError } from '../../src/runtime/errors.ts'
import type { Rejected } from '../../src/runtime/letters/deadLetters.ts'
import { ChainTask, savedFrom } from '../support/tasks.ts'

const chain =
  (allowedLatenessMs = 0, sizeMs = 100, onReject?: (one: Rejected) => void) =>
  (values: Observable<number>) =>
    values.pipe(
      eventTime({ of: (at) => at, maxOutOfOrdernessMs: 0 }),
      tumblingWindow({ name: 'w', sizeMs, by: () => 'k', allowedLatenessMs, onReject }),
    )

function told(elements: readonly unknown[]): string[] {
  return (elements as WindowElement<number>[]).map((element) => {
    if (element.kind === 'value') return `${element.value} in ${element.window.start}`
    return element.kind === 'fired'
      ? `fire ${element.window.start} r${element.revision}`
      : `${element.kind} ${element.window.start}`
  })
}

describe('tumblingWindow', () => {
  it('closes at end - 1, not before', () => {
    const run = new ChainTask<number>(chain()).push(0, 99)
    expect(told(run.out)).toEqual(['0 in 0', '99 in 0'])
    run.push(100)
    expect(told(run.out)).toEqual(['0 in 0', '99 in 0', '100 in 100', 'fire 0 r1', 'over 0'])
  })

  it('puts a value exactly at an end into the next window', () => {
    expect(told(new ChainTask<number>(chain()).push(99, 100).out).slice(0, 2)).toEqual(['99 in 0', '100 in 100'])
  })

  it('aligns windows before 1970 downwards too', () => {
    expect(told(new ChainTask<number>(chain()).push(-1, -100, -101).out).slice(0, 2)).toEqual([
      '-1 in -100',
      '-100 in -100',
    ])
  })

  it('sets a value that is late by one window aside, with its record', () => {
    const run = new ChainTask<number>(chain()).push(0, 100, 99)
    expect(run.cut().deadLetters).toMatchObject([
      { offset: 2, operator: 'w', reason: 'late', payload: Buffer.from('99') },
    ])
  })

  it('fires again, with a higher revision, for a value within the allowed lateness, and not one ms beyond', () => {
    const run = new ChainTask<number>(chain(50)).push(0, 100, 5, 149, 6, 150, 7)
    expect(told(run.out)).toEqual([
      '0 in 0',
      '100 in 100',
      'fire 0 r1',
      '5 in 0',
      'fire 0 r2',
      '149 in 100',
      '6 in 0',
      'fire 0 r3',
      '150 in 100',
      'over 0',
    ])
    expect(run.cut().deadLetters).toHaveLength(1)
  })

  it('opens and fires a window at once for a first value within the allowed lateness', () => {
    const run = new ChainTask<number>(chain(50)).push(100, 120, 5)
    expect(told(run.out)).toEqual(['100 in 100', '120 in 100', '5 in 0', 'fire 0 r1'])
  })

  it('fires windows that are due together by end, then by key', () => {
    const fired: string[] = []
    from([
      ['b', 0],
      ['a', 150],
      ['a', 1],
      ['b', 160],
    ] as const)
      .pipe(
        eventTime({ of: ([, at]) => at, maxOutOfOrdernessMs: 1_000 }),
        tumblingWindow({ name: 'w', sizeMs: 100, by: ([key]) => key }),
      )
      .subscribe((element) => element.kind === 'fired' && fired.push(element.window.id))
    expect(fired).toEqual(['a@0', 'b@0', 'a@100', 'b@100'])
  })

  it('goes on after a cut in mid-window as if there had been none', () => {
    const whole = new ChainTask<number>(chain(50)).push(0, 99, 100, 30, 200)
    for (let at = 1; at < 5; at++) {
      const values = [0, 99, 100, 30, 200]
      const before = new ChainTask<number>(chain(50)).push(...values.slice(0, at))
      const after = new ChainTask<number>(chain(50), savedFrom(before.cut())).push(...values.slice(at))
      expect(told([...before.out, ...after.out])).toEqual(told(whole.out))
    }
  })

  it('refuses a checkpoint that was made with another size, and says what to do', () => {
    const saved = savedFrom(new ChainTask<number>(chain(0, 100)).push(1).cut())
    expect(() => new ChainTask<number>(chain(0, 200), saved)).toThrow(StateMismatchError)
    expect(() => new ChainTask<number>(chain(0, 200), saved)).toThrow(/Put it back as it was/)
  })

  it('may be folded twice, before and after a restore: each fold has values of its own', () => {
    const folds = (values: Observable<number>) => {
      const windows = chain(50)(values).pipe(share())
      const count = aggregateWindow<number, number, string>({
        name: 'count',
        initial: () => 0,
        add: (sum) => sum + 1,
        result: (sum) => `count ${sum}`,
      })
      const sum = aggregateWindow<number, number, string>({
        name: 'sum',
        initial: () => 0,
        add: (sum, value) => sum + value,
        result: (sum) => `sum ${sum}`,
      })
      return merge(windows.pipe(count), windows.pipe(sum))
    }
    const before = new ChainTask<number>(folds).push(1, 10, 100)
    const after = new ChainTask<number>(folds, savedFrom(before.cut())).push(20, 30, 300)
    expect([...before.out, ...after.out]).toEqual([
      ...['count 2', 'sum 11', 'count 3', 'sum 31', 'count 4', 'sum 61'],
      ...['count 1', 'sum 100'],
    ])
  })

  it('keeps windows over that were over, whatever lateness is allowed later', () => {
    const allowing = (allowedLatenessMs: number) => (values: Observable<number>) =>
      values.pipe(
        eventTime({ of: (at) => at, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: 'w', sizeMs: 1_000, by: () => 'k', allowedLatenessMs }),
      )
    const first = new ChainTask<number>(allowing(0)).push(500, 3_500)
    const cuts = [first.cut()]
    const second = new ChainTask<number>(allowing(60_000), savedFrom(...cuts)).push(700, 2_500, 3_600)
    cuts.push(second.cut())
    const third = new ChainTask<number>(allowing(90_000), savedFrom(...cuts)).push(800)
    cuts.push(third.cut())
    const late = cuts.flatMap(({ deadLetters }) => deadLetters.map(({ offset, reason }) => [offset, reason]))
    expect(late).toEqual([
      [2, 'late'],
      [3, 'late'],
      [5, 'late'],
    ])
  })

  it('sets aside a value without a whole time or a text as key, and goes on', () => {
    const run = new ChainTask<{ at: number | null; key?: string }>((values) =>
      values.pipe(
        eventTime({ of: ({ at }) => at ?? 0, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: 'w', sizeMs: 10, of: ({ at }) => at as number, by: ({ key }) => key as string }),
      ),
    ).push({ at: null, key: 'k' }, { at: 3 }, { at: 4, key: 'k' })
    expect(run.out).toHaveLength(1)
    expect(run.cut().deadLetters.map(({ reason }) => reason)).toEqual(['no-event-time', 'failed'])
  })

  it('is not held open by a window that fired on arrival, restored or not', () => {
    const correcting = (values: Observable<number>) =>
      values.pipe(
        eventTime({ of: (at) => at, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: 'w', sizeMs: 1_000, by: () => 'k', allowedLatenessMs: 1_000_000 }),
      )
    const live = new ChainTask<number>(correcting).push(5_000)
    live.task.closeOpen()
    const cuts = [live.cut(), live.push(100).cut()]
    const restored = new ChainTask<number>(correcting, savedFrom(...cuts))
    for (const run of [live, restored]) run.task.closeOpen()
    expect(live.task.watermark).toBe(5_999)
    expect(restored.task.watermark).toBe(5_999)
  })

  it('keeps nothing once every window is over', () => {
    const run = new ChainTask<number>(chain()).push(0, 100, 200)
    expect(JSON.parse(run.cut().state.body).operators.find((one: { name: string }) => one.name === 'w').keyed).toEqual([
      ['k@200', ['k', 200, 0]],
    ])
  })

  it('says that it needs an eventTime', () => {
    let seen: unknown
    of(1)
      .pipe(tumblingWindow({ name: 'w', sizeMs: 100, by: () => 'k' }))
      .subscribe({ error: (error) => (seen = error) })
    expect(seen).toBeInstanceOf(OperatorError)
    expect(String(seen)).toContain('no eventTime above it')
  })

  it('refuses a size that is no positive integer', () => {
    expect(() => tumblingWindow({ name: 'bars', sizeMs: 0, by: () => 'k' })).toThrow(
      "tumblingWindow 'bars': sizeMs must be a positive integer, got 0.",
    )
    expect(() => tumblingWindow({ name: 'w', sizeMs: 1, by: () => 'k', allowedLatenessMs: -1 })).toThrow(
      ConfigurationError,
    )
  })

  it('does not call the result of an upper window late when one step of time closes both', () => {
    const out: string[] = []
    of(0, 1_000_000)
      .pipe(
        eventTime({ of: (at) => at, maxOutOfOrdernessMs: 0 }),
        tumblingWindow({ name: 'short', sizeMs: 100, by: () => 'k', onReject: (late) => out.push(late.reason) }),
        tumblingWindow({ name: 'long', sizeMs: 200, by: () => 'k', onReject: (late) => out.push(late.reason) }),
      )
      .subscribe((element) => element.kind === 'fired' && out.push(element.window.id))
    expect(out).toEqual(['k@0', 'k@1000000'])
  })
})
