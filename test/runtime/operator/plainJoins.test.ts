import { asapScheduler, from, merge, type Observable, observeOn, Subject, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { asOfJoin } from '../../../src/operators/asOfJoin.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { inOrder } from '../../../src/operators/inOrder.ts'
import { intervalJoin } from '../../../src/operators/intervalJoin.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'

interface Event {
  readonly id: string
  readonly at: number
}

const timed = () => eventTime<Event>({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 })

const joined = (name: string) => ({
  name,
  by: { left: ({ id }: Event) => id, right: ({ id }: Event) => id },
  fromMs: 0,
  toMs: 10,
  how: 'left' as const,
  with: (left: Event, right: Event | null) => ({ id: left.id, at: left.at, paid: right?.at ?? null }),
})

function heard<T>() {
  const values: T[] = []
  const said: string[] = []
  return {
    values,
    said,
    observer: {
      next: (value: T) => values.push(value),
      error: (error: unknown) => said.push(String(error)),
      complete: () => said.push('complete'),
    },
  }
}

describe('a join of two streams in a plain program, each with an eventTime of its own', () => {
  it('has the lesser of both times, as in a pipeline', () => {
    const [left, right] = [new Subject<Event>(), new Subject<Event>()]
    const { values, said, observer } = heard<unknown>()
    left.pipe(timed(), intervalJoin(right.pipe(timed()), joined('paid'))).subscribe(observer)
    left.next({ id: 'a', at: 100 })
    left.next({ id: 'b', at: 1_000 })
    // Nothing of the right has come, so its time holds the other back.
    expect(values).toEqual([])
    right.next({ id: 'a', at: 105 })
    expect(values).toEqual([{ id: 'a', at: 100, paid: 105 }])
    right.next({ id: 'x', at: 2_000 })
    left.next({ id: 'c', at: 1_500 })
    expect(values.slice(1)).toEqual([{ id: 'b', at: 1_000, paid: null }])
    left.complete()
    // One that has ended holds the other back no more.
    expect(values.slice(2)).toEqual([{ id: 'c', at: 1_500, paid: null }])
    expect(said).toEqual([])
    right.complete()
    expect(said).toEqual(['complete'])
  })

  it('lets windows above and below the join go by that time', () => {
    const [left, right] = [new Subject<Event>(), new Subject<Event>()]
    const { values, observer } = heard<unknown>()
    const counted = (name: string) =>
      [
        tumblingWindow<Event>({ name, sizeMs: 100, by: ({ id }) => id }),
        aggregateWindow<Event, number, Event>({
          name: `${name}-count`,
          initial: () => 0,
          add: (n) => n + 1,
          result: (_n, { key, end }) => ({ id: key, at: end - 1 }),
        }),
      ] as const
    left
      .pipe(timed(), ...counted('above'), intervalJoin(right.pipe(timed()), { ...joined('paid'), fromMs: -200 }))
      .subscribe(observer)
    left.next({ id: 'a', at: 50 })
    left.next({ id: 'a', at: 150 })
    expect(values).toEqual([])
    right.next({ id: 'a', at: 60 })
    right.next({ id: 'b', at: 140 })
    expect(values).toEqual([{ id: 'a', at: 99, paid: 60 }])
  })

  it.each([
    ['the left', 'the right'],
    ['the right', 'the left'],
  ])('what is open above the join comes when it is due, where %s ends before %s', (first) => {
    const [left, right] = [new Subject<Event>(), new Subject<Event>()]
    const { values, said, observer } = heard<unknown>()
    const sums = (name: string) => (events: Observable<Event>) =>
      events.pipe(
        tumblingWindow<Event>({ name, sizeMs: 100, by: ({ id }) => id }),
        aggregateWindow<Event, number, Event>({
          name: `${name} count`,
          initial: () => 0,
          add: (n) => n + 1,
          result: (n, { key, end }) => ({ id: `${key}${n}`, at: end - 1 }),
        }),
      )
    left
      .pipe(timed(), sums('left'), intervalJoin(right.pipe(timed(), sums('right')), { ...joined('paid'), toMs: 1_000 }))
      .subscribe(observer)
    left.next({ id: 'a', at: 150 })
    right.next({ id: 'a', at: 160 })
    const [one, other] = first === 'the left' ? [left, right] : [right, left]
    one.complete()
    expect(said).toEqual([])
    other.next({ id: 'z', at: 500 })
    other.complete()
    expect(values).toContainEqual({ id: 'a1', at: 199, paid: 199 })
    expect(said).toEqual(['complete'])
    expect([left.observed, right.observed]).toEqual([false, false])
  })

  it('lets go of what is open above it when nobody listens any more', () => {
    const [left, right] = [new Subject<Event>(), new Subject<Event>()]
    const { values, said, observer } = heard<Event>()
    const sorted = left.pipe(timed(), inOrder<Event>({ name: 'above' }))
    const subscription = merge(sorted, right.pipe(timed()))
      .pipe(inOrder<Event>({ name: 'below' }))
      .subscribe(observer)
    left.next({ id: 'a', at: 10 })
    left.complete()
    subscription.unsubscribe()
    right.next({ id: 'b', at: 500 })
    right.complete()
    expect(values).toEqual([])
    expect(said).toEqual([])
  })

  it('goes for a join of a join, and a side that is shared with the other', () => {
    const [one, two, three] = [new Subject<Event>(), new Subject<Event>(), new Subject<Event>()]
    const shared = two.pipe(timed(), share())
    const { values, said, observer } = heard<unknown>()
    const asOf = asOfJoin(three.pipe(timed()), {
      name: 'as-of',
      by: { left: ({ id }: { readonly id: string }) => id, right: ({ id }: Event) => id },
      keepMs: 1_000,
      with: (left, right) => [left, right?.at ?? null],
    })
    one.pipe(timed(), intervalJoin(shared, joined('paid')), asOf).subscribe(observer)
    merge(shared).subscribe()
    three.next({ id: 'a', at: 10 })
    two.next({ id: 'a', at: 25 })
    one.next({ id: 'a', at: 20 })
    expect(values).toEqual([])
    for (const source of [one, two, three]) source.next({ id: 'z', at: 1_000 })
    expect(values).toEqual([[{ id: 'a', at: 20, paid: 25 }, 10]])
    expect(said).toEqual([])
  })

  it('gives each subscription a time of its own', () => {
    const [left, right] = [new Subject<Event>(), new Subject<Event>()]
    const both = merge(left.pipe(timed()), right.pipe(timed())).pipe(inOrder<Event>({ name: 'sorted' }))
    const [first, second] = [heard<Event>(), heard<Event>()]
    both.subscribe(first.observer)
    left.next({ id: 'a', at: 5 })
    both.subscribe(second.observer)
    left.next({ id: 'b', at: 7 })
    right.next({ id: 'c', at: 6 })
    right.next({ id: 'd', at: 8 })
    left.next({ id: 'e', at: 8 })
    expect(first.values.map(({ id }) => id)).toEqual(['a', 'c', 'b'])
    expect(second.values.map(({ id }) => id)).toEqual(['c', 'b'])
  })

  it('works with sources that begin later, and says what to do about those that give all at once', async () => {
    const lefts = [{ id: 'a', at: 1 }]
    const rights = [{ id: 'a', at: 3 }]
    const atOnce = heard<unknown>()
    from(lefts)
      .pipe(timed(), intervalJoin(from(rights).pipe(timed()), joined('paid')))
      .subscribe(atOnce.observer)
    expect(atOnce.said).toEqual([
      expect.stringMatching(/had begun before both were subscribed to.*observeOn\(asapScheduler\)/),
    ])
    const later = heard<unknown>()
    const slow = <T>(values: readonly T[]) => from(values).pipe(observeOn(asapScheduler))
    slow(lefts)
      .pipe(timed(), intervalJoin(slow(rights).pipe(timed()), joined('paid')))
      .subscribe(later.observer)
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(later.values).toEqual([{ id: 'a', at: 1, paid: 3 }])
    expect(later.said).toEqual(['complete'])
  })
})
