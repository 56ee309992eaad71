import {
  concat,
  connect,
  connectable,
  filter,
  from,
  groupBy,
  map,
  merge,
  mergeAll,
  mergeMap,
  NEVER,
  Observable,
  of,
  retry,
  Subject,
  share,
  take,
  tap,
} from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { batchFlush } from '../../../src/operators/batchFlush.ts'
import { countWindow } from '../../../src/operators/countWindow.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { lookup } from '../../../src/operators/lookup.ts'
import { mapAsync } from '../../../src/operators/mapAsync.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import type { Rejected } from '../../../src/runtime/letters/deadLetters.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { ChainTask } from '../../support/tasks.ts'

const timed = (name?: string) =>
  eventTime<number>({ of: (at) => at, maxOutOfOrdernessMs: 0, ...(name === undefined ? {} : { name }) })

/** The start of each window that fires, with how many values it had. */
const counts =
  (name: string, sizeMs: number, onReject?: (rejected: Rejected) => void) => (values: Observable<number>) =>
    values.pipe(
      tumblingWindow({ name, sizeMs, by: () => 'k', ...(onReject === undefined ? {} : { onReject }) }),
      aggregateWindow<number, number, string>({
        initial: () => 0,
        add: (count) => count + 1,
        result: (count, { start }) => `${name} ${start}: ${count}`,
      }),
    )

/** Emits its name whenever a timer of its own fires, which it sets for each value's time plus one. */
const ticking = (name: string) =>
  stateful<number, string>({ name }, (_restored, out) => ({
    onValue: (at) => out.at('k', at + 1),
    onTimer: (_key, time) => out.emit(`${name} ${time}`),
  }))

describe('operators in a plain RxJS program', () => {
  it('leave alone the operators of a task that their values come to, which says itself that it takes none', () => {
    const side = new Subject<number>()
    for (let graphs = 0; graphs < 3; graphs += 1) NEVER.pipe(timed()).subscribe().unsubscribe()
    const task = new ChainTask<number>((values: Observable<number>) => merge(values, side).pipe(ticking('below')))
    const source = new Subject<number>()
    source.pipe(timed()).subscribe(side)
    expect(() => source.next(1)).not.toThrow()
    expect(() => task.push(1)).toThrow('below: a value arrived while the task was at rest')
  })

  it('a branch that has enough takes nothing from the others, not even their last window', () => {
    const out: string[] = []
    const source = new Subject<number>()
    const shared = source.pipe(timed(), share())
    shared.pipe(counts('a', 10), take(1)).subscribe((value) => out.push(value))
    shared.pipe(counts('b', 10)).subscribe((value) => out.push(value))
    shared.pipe(counts('c', 100)).subscribe((value) => out.push(value))
    for (const at of [1, 2, 11]) source.next(at)
    source.complete()
    expect(out).toEqual(['a 0: 2', 'b 0: 2', 'b 10: 1', 'c 0: 3'])
  })

  it('a first value that is late for its branch is late', () => {
    const rejected: Rejected[] = []
    const out: string[] = []
    const source = new Subject<number>()
    const shared = source.pipe(timed(), share())
    shared.subscribe()
    shared
      .pipe(
        filter((at) => at === 5),
        counts('w', 10, (one) => rejected.push(one)),
      )
      .subscribe((value) => out.push(value))
    for (const at of [30, 5]) source.next(at)
    source.complete()
    expect(out).toEqual([])
    expect(rejected).toMatchObject([{ operator: 'w', reason: 'late' }])
  })

  it('timers fire in the order of the graph, whichever branch had the first value', () => {
    const out: string[] = []
    const source = new Subject<number>()
    const shared = source.pipe(timed(), share())
    merge(
      shared.pipe(
        filter((at) => at > 1),
        ticking('first'),
      ),
      shared.pipe(ticking('second')),
    ).subscribe((value) => out.push(value))
    for (const at of [1, 2, 9]) source.next(at)
    expect(out).toEqual(['first 3', 'second 2', 'second 3'])
    out.length = 0
    source.complete()
    expect(out).toEqual(['first 10', 'second 10'])
  })

  it('values below two eventTimes meet under the lesser of both', () => {
    const first = new Subject<number>()
    const second = new Subject<number>()
    const out: unknown[] = []
    merge(first.pipe(timed('one')), second.pipe(timed('two')))
      .pipe(counts('w', 10))
      .subscribe((value) => out.push(value))
    first.next(1_000)
    second.next(5)
    expect(out).toEqual([])
    second.next(999)
    expect(out).toHaveLength(1)
  })

  it('values do not meet where one of two eventTimes had begun for somebody else', () => {
    const first = new Subject<number>()
    const second = new Subject<number>()
    const shared = first.pipe(timed('one'), share())
    shared.subscribe()
    let error: unknown
    merge(shared, second.pipe(timed('two')))
      .pipe(counts('w', 10))
      .subscribe({ error: (found) => (error = found) })
    first.next(1_000)
    second.next(5)
    expect(String(error)).toMatch(/w: values below two eventTime operators meet here, and one of the two had begun/)
  })

  it('one program may feed another, each with its own time', () => {
    const out: string[] = []
    const second = new Subject<number>()
    second.pipe(timed('two'), counts('w', 10)).subscribe((value) => out.push(value))
    from([1_000, 2_000])
      .pipe(
        timed('one'),
        tap((at) => second.next(at / 1_000)),
      )
      .subscribe({ complete: () => second.complete() })
    expect(out).toEqual(['w 0: 2'])
  })

  it('what is fed back to the top has its own time, and leaves that of the others alone', () => {
    const out: string[] = []
    const source = new Subject<number>()
    const shared = source.pipe(timed(), share())
    shared.pipe(filter((at) => at === 1)).subscribe(() => source.next(3))
    shared.pipe(counts('w', 10)).subscribe((value) => out.push(value))
    for (const at of [1, 12]) source.next(at)
    source.complete()
    expect(out).toEqual(['w 0: 2', 'w 10: 1'])
  })

  it('an exception in one branch, in a value or a timer, ends that branch alone', () => {
    const out: string[] = []
    const errors: unknown[] = []
    const source = new Subject<number>()
    const shared = source.pipe(timed(), share())
    const failing = stateful<number, number>({ name: 'failing' }, (_restored, out) => ({
      onValue: (at) => out.at('k', at),
      onTimer: () => {
        throw new TypeError('in a timer')
      },
    }))
    shared.pipe(failing).subscribe({ error: (error) => errors.push(error) })
    shared.pipe(counts('w', 10)).subscribe((value) => out.push(value))
    for (const at of [1, 12]) source.next(at)
    source.complete()
    expect(errors).toEqual([new TypeError('in a timer')])
    expect(out).toEqual(['w 0: 1', 'w 10: 1'])
  })

  it('with onReject, a value on which a callback throws is set aside and the stream goes on', () => {
    const rejected: Rejected[] = []
    const out: unknown[] = []
    of(1, 2, 3)
      .pipe(
        eventTime({
          of: (at) => {
            if (at === 2) throw new TypeError('no time')
            return at
          },
          maxOutOfOrdernessMs: 0,
          onReject: (one) => rejected.push(one),
        }),
      )
      .subscribe((value) => out.push(value))
    expect(out).toEqual([1, 3])
    expect(rejected).toEqual([{ operator: 'eventTime', reason: 'failed', detail: 'TypeError: no time' }])
  })

  it('a synchronous source finds every operator in place', () => {
    const out: string[] = []
    from([1, 2, 11, 12, 31])
      .pipe(timed(), counts('w', 10))
      .subscribe((value) => out.push(value))
    expect(out).toEqual(['w 0: 2', 'w 10: 2', 'w 30: 1'])
  })

  const twoSizes = (values: Observable<number>) => {
    const sizes = { '1s': 1_000, '4s': 4_000 }
    const windows = (name: '1s' | '4s') => tumblingWindow<number>({ name, sizeMs: sizes[name], by: () => 'k' })
    const last = <T>(name: string, of: (value: T) => number) =>
      aggregateWindow<T, number, number>({
        name,
        initial: () => 0,
        add: (most, value) => Math.max(most, of(value)),
        result: (most) => most,
      })
    return values.pipe(
      windows('1s'),
      last('last-1s', (value: number) => value),
      windows('4s'),
      last('last-4s', (value: number) => value),
    )
  }

  it.each<[string, (values: Observable<number>) => Observable<number>]>([
    [
      'groupBy',
      (values) =>
        values.pipe(
          groupBy(() => 'k'),
          mergeMap((group) => group.pipe(twoSizes)),
        ),
    ],
    [
      'a subscription anew after an error',
      (values) => {
        let isFirst = true
        return values.pipe(
          map((value) => {
            if (!isFirst) return value
            isFirst = false
            throw new TypeError('the first')
          }),
          twoSizes,
          retry(1),
        )
      },
    ],
  ])(
    'below %s, subscribed to while a value is on its way, operators stand in the order of the graph',
    (_name, below) => {
      const out: number[] = []
      const source = new Subject<number>()
      source.pipe(timed(), below).subscribe((value) => out.push(value))
      for (const at of [1, 2, 1_100, 2_200, 3_900, 4_000, 9_000]) source.next(at)
      source.complete()
      expect(out).toEqual([3_900, 4_000, 9_000])
    },
  )

  const moments = [1, 2, 1_100, 2_200, 3_900, 4_000, 9_000]

  it.each<
    [
      string,
      (above: Observable<number>, below: (values: Observable<number>) => Observable<number>) => Observable<number>,
    ]
  >([
    ['connect', (above, below) => above.pipe(connect(below))],
    [
      'connectable',
      (above, below) =>
        new Observable((subscriber) => {
          const shared = connectable(above)
          below(shared).subscribe(subscriber)
          return shared.connect()
        }),
    ],
    [
      'a Subject',
      (above, below) =>
        new Observable((subscriber) => {
          const between = new Subject<number>()
          below(between).subscribe(subscriber)
          return above.subscribe((value) => between.next(value))
        }),
    ],
  ])('below %s, subscribed to before what is above it, operators stand in the order of the graph', (_name, joined) => {
    const late: Rejected[] = []
    const sum = (name: string, sizeMs: number) => (values: Observable<number>) =>
      values.pipe(
        tumblingWindow({ name, sizeMs, by: () => 'k', onReject: (one) => late.push(one) }),
        aggregateWindow<number, number, number>({
          name: `${name} last`,
          initial: () => 0,
          add: (most, value) => Math.max(most, value),
          result: (most) => most,
        }),
      )
    for (const isShared of [false, true]) {
      const out: number[] = []
      const source = new Subject<number>()
      const timely = source.pipe(timed(), share())
      // Time may have begun for somebody else, in a graph that was there before both.
      if (isShared) timely.subscribe()
      joined(timely.pipe(sum('1s', 1_000)), sum('4s', 4_000)).subscribe((value) => out.push(value))
      for (const at of moments) source.next(at)
      source.complete()
      expect(out).toEqual([3_900, 4_000, 9_000])
    }
    expect(late).toEqual([])
  })

  it('windows below groupBy and those of its groups stand in the order of the graph', () => {
    const out: number[] = []
    const late: Rejected[] = []
    const count = (name: string, sizeMs: number) => (values: Observable<number>) =>
      values.pipe(
        tumblingWindow({ name, sizeMs, by: () => 'k', onReject: (one) => late.push(one) }),
        aggregateWindow<number, number, number>({
          name: `${name} count`,
          initial: () => 0,
          add: (count) => count + 1,
          result: (count) => count,
        }),
      )
    const source = new Subject<number>()
    source
      .pipe(
        timed(),
        groupBy((at) => at % 1_500),
        mergeMap((group) => group.pipe(count('1s', 1_000))),
        count('4s', 4_000),
      )
      .subscribe((value) => out.push(value))
    for (let at = 0; at < 9_000; at++) source.next(at)
    source.complete()
    expect(late).toEqual([])
    expect(out).toEqual([4_000, 4_000, 1_000])
  })

  it('history that ends at once holds up nothing that follows it, each with a time of its own', async () => {
    const live = new Subject<number>()
    const both = () =>
      concat(from([1, 2, 11]).pipe(timed('old'), counts('old', 10)), live.pipe(timed('new'), counts('new', 10)))
    const seen: unknown[] = []
    const error = (found: unknown) => seen.push(found)
    both()
      .pipe(batchFlush({ maxCount: 1 }), mergeAll())
      .subscribe({ next: (value) => seen.push(value), error })
    const waited: unknown[] = []
    const same = lookup<string, string, string>({
      ...{ name: 'same', by: (key) => key, get: async (key) => key, with: (_, found) => found, concurrency: 1 },
    })
    both()
      .pipe(
        mapAsync(async (value) => value, { concurrency: 1 }),
        same,
      )
      .subscribe({ next: (value) => waited.push(value), error })
    for (const at of [25, 31]) live.next(at)
    live.complete()
    await new Promise((resolve) => setTimeout(resolve, 1))
    const all = ['old 0: 2', 'old 10: 1', 'new 20: 1', 'new 30: 1']
    expect(seen).toEqual(all)
    expect(waited).toEqual(all)
  })

  it('what onReject throws ends the stream of its operator, and time goes on for others', () => {
    const errors: unknown[] = []
    const out: string[] = []
    const source = new Subject<number>()
    const shared = source.pipe(
      eventTime({ of: (at) => at, maxOutOfOrdernessMs: 0, onReject: (one) => errors.push(one) }),
      share(),
    )
    const onReject = () => {
      throw new TypeError('strict')
    }
    const failing = stateful<number, number>({ name: 'failing', onReject }, (_restored, out) => ({
      onValue: (at) => out.at('k', at),
      onTimer: () => out.reject('bad', 'in a timer'),
    }))
    shared.pipe(failing).subscribe({ error: (error) => errors.push(error) })
    shared.pipe(counts('w', 10)).subscribe((value) => out.push(value))
    for (const at of [1, 12, 25]) source.next(at)
    expect(out).toEqual(['w 0: 1', 'w 10: 1'])
    expect(errors).toMatchObject([
      {
        message: 'failing: its onReject has thrown at a value that was set aside (bad: in a timer)',
        cause: new TypeError('strict'),
      },
    ])
  })

  it('at the end a rest fires also of an operator that gets its first value from a rest above it', () => {
    const lots = (name: string) => (values: Observable<number>) =>
      values.pipe(
        countWindow({ name, size: 2, by: () => 'k' }),
        aggregateWindow({
          name: `${name} sum`,
          initial: () => 0,
          add: (sum, n: number) => sum + n,
          result: (sum) => sum,
        }),
      )
    const seen: number[] = []
    of(1, 2, 5)
      .pipe(timed(), lots('pairs'), lots('pairs of pairs'), lots('pairs of those'))
      .subscribe((sum) => seen.push(sum))
    expect(seen).toEqual([8])
    of(5)
      .pipe(timed(), lots('pairs'), lots('pairs of pairs'), lots('pairs of those'))
      .subscribe((sum) => seen.push(sum))
    expect(seen).toEqual([8, 5])
  })

  it('a batch has no time here either', () => {
    let error: unknown
    from([1, 2])
      .pipe(timed(), batchFlush({ maxCount: 1 }), mergeAll(), counts('w', 10))
      .subscribe({ error: (found) => (error = found) })
    expect(String(error)).toMatch(/w: no eventTime above it/)
  })

  it('nothing is called after everybody has unsubscribed', async () => {
    const called: number[] = []
    const subscription = from([1, 2, 3, 4])
      .pipe(
        mapAsync(
          async (value) => {
            called.push(value)
            return value
          },
          { concurrency: 2 },
        ),
      )
      .subscribe()
    subscription.unsubscribe()
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect(called).toEqual([1, 2])
  })

  it('completes when the last asynchronous result has come through', async () => {
    const out: unknown[] = []
    await new Promise<void>((complete) => {
      from([3, 1, 2])
        .pipe(
          mapAsync(
            async (turns) => {
              for (let i = 0; i < turns; i++) await null
              return turns
            },
            { concurrency: 2 },
          ),
          batchFlush({ maxCount: 2 }),
          map((batch) => [...batch]),
        )
        .subscribe({ next: (value) => out.push(value), complete })
    })
    expect(out).toEqual([[3, 1], [2]])
  })
})
